"""The drivers that run flows over HTTP with httpx, with and without asyncio; imported when a client is created."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any, TypeVar

import httpx

from ketline.client.address import AddressInvalid, is_loopback, shown_url
from ketline.client.errors import CertificateInvalid, RequestInvalid
from ketline.client.steps import (
    Close,
    Emit,
    Flow,
    Lost,
    Open,
    Pause,
    Read,
    Request,
    Response,
    Send,
    Step,
    StepResult,
)
from ketline.client.trace_context import trace_headers

T = TypeVar("T")
CONNECT_SECONDS = 10.0
MAX_CONNECTIONS = 100
REQUESTS = httpx.Limits(max_connections=MAX_CONNECTIONS)
# Each open stream occupies a connection, so streams need an unlimited pool that requests do not share.
STREAMS = httpx.Limits(max_connections=None, max_keepalive_connections=MAX_CONNECTIONS)


class HttpDriver:
    """Runs flows for a `Client`; several threads may use it, each for its own flow."""

    def __init__(
        self, url: str, headers: Mapping[str, str], read_timeout_seconds: float, transport: Any = None
    ) -> None:
        settings = _settings(url, headers, read_timeout_seconds)
        with _address_errors(url):
            self._http = httpx.Client(**settings, limits=REQUESTS, transport=transport)
            self._streams = httpx.Client(**settings, limits=STREAMS, transport=transport)
        self._read_timeout_seconds = read_timeout_seconds

    def close(self) -> None:
        self._streams.close()
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow that opens no stream, and return its result."""
        outcome: StepResult = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._perform(step)

    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Run a flow step by step, and yield each item that it emits; it continues when the next item is requested."""
        with ExitStack() as stack:
            chunks: Iterator[bytes] = iter(())
            outcome: StepResult = None
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Emit):
                    yield step.item
                elif isinstance(step, Open):
                    stack.close()
                    outcome, chunks = self._open(step.request, stack)
                elif isinstance(step, Read):
                    outcome = _next(chunks)
                elif isinstance(step, Close):
                    stack.close()
                else:
                    outcome = self._perform(step)

    def _perform(self, step: Step) -> StepResult:
        if isinstance(step, Send):
            try:
                return _response(self._http.request(**self._arguments(step.request)))
            except (httpx.HTTPError, httpx.StreamError) as error:
                return _lost(error)
        assert isinstance(step, Pause)
        time.sleep(step.seconds)
        return None

    def _open(self, request: Request, stack: ExitStack) -> tuple[Response | Lost, Iterator[bytes]]:
        try:
            answer = stack.enter_context(self._streams.stream(**self._arguments(request)))
            if answer.status_code != 200:
                answer.read()
                return _response(answer), iter(())
        except (httpx.HTTPError, httpx.StreamError) as error:
            return _lost(error), iter(())
        return Response(status=200, headers=dict(answer.headers)), answer.iter_bytes()

    def _arguments(self, request: Request) -> dict[str, Any]:
        if self._http.is_closed:
            raise RequestInvalid("This client is closed; create another one.")
        return _arguments(request, self._read_timeout_seconds)


class AsyncHttpDriver:
    """Runs flows for an `AsyncClient` in one event loop."""

    def __init__(
        self, url: str, headers: Mapping[str, str], read_timeout_seconds: float, transport: Any = None
    ) -> None:
        settings = _settings(url, headers, read_timeout_seconds)
        with _address_errors(url):
            self._http = httpx.AsyncClient(**settings, limits=REQUESTS, transport=transport)
            self._streams = httpx.AsyncClient(**settings, limits=STREAMS, transport=transport)
        self._read_timeout_seconds = read_timeout_seconds

    async def close(self) -> None:
        await self._streams.aclose()
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow that opens no stream, and return its result."""
        outcome: StepResult = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._perform(step)

    async def iterate(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """Run a flow step by step, and yield each item that it emits; it continues when the next item is requested."""
        async with AsyncExitStack() as stack:
            chunks = _no_chunks()
            outcome: StepResult = None
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Emit):
                    yield step.item
                elif isinstance(step, Open):
                    await stack.aclose()
                    outcome, chunks = await self._open(step.request, stack)
                elif isinstance(step, Read):
                    outcome = await _next_async(chunks)
                elif isinstance(step, Close):
                    await stack.aclose()
                else:
                    outcome = await self._perform(step)

    async def _perform(self, step: Step) -> StepResult:
        if isinstance(step, Send):
            try:
                return _response(await self._http.request(**self._arguments(step.request)))
            except (httpx.HTTPError, httpx.StreamError) as error:
                return _lost(error)
        assert isinstance(step, Pause)
        await asyncio.sleep(step.seconds)
        return None

    async def _open(self, request: Request, stack: AsyncExitStack) -> tuple[Response | Lost, AsyncIterator[bytes]]:
        try:
            answer = await stack.enter_async_context(self._streams.stream(**self._arguments(request)))
            if answer.status_code != 200:
                await answer.aread()
                return _response(answer), _no_chunks()
        except (httpx.HTTPError, httpx.StreamError) as error:
            return _lost(error), _no_chunks()
        return Response(status=200, headers=dict(answer.headers)), answer.aiter_bytes()

    def _arguments(self, request: Request) -> dict[str, Any]:
        if self._http.is_closed:
            raise RequestInvalid("This client is closed; create another one.")
        return _arguments(request, self._read_timeout_seconds)


@contextmanager
def _address_errors(url: str) -> Iterator[None]:
    """Around the creation of httpx clients, which fails for proxy settings that httpx does not support."""
    try:
        assert httpx.URL(url).host
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise AddressInvalid(f"{shown_url(url)} cannot be used: {error}") from error


def _settings(url: str, headers: Mapping[str, str], read_timeout_seconds: float) -> dict[str, Any]:
    return {
        "base_url": url,
        "headers": headers,
        "timeout": _timeout(read_timeout_seconds),
        "trust_env": not is_loopback(url),
        # Loading the system's certificates takes longer than a task, and http needs none: redirects are not followed.
        "verify": False if url.startswith("http:") else _trusting(),
    }


def _trusting() -> ssl.SSLContext:
    """A context that trusts the authorities in `SSL_CERT_FILE` or `SSL_CERT_DIR`, or else those that httpx brings."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise AddressInvalid(
            "The file SSL_CERT_FILE, or the directory SSL_CERT_DIR, has no certificates in PEM format that can be read."
        ) from error


def _timeout(read_timeout_seconds: float) -> httpx.Timeout:
    # No limit on the wait for a connection of the pool: that is no fault of the service.
    return httpx.Timeout(read_timeout_seconds, connect=min(CONNECT_SECONDS, read_timeout_seconds), pool=None)


def _arguments(request: Request, read_timeout_seconds: float) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "content": request.body,
        "headers": {**trace_headers(), **request.headers},
        "timeout": _timeout(
            read_timeout_seconds if request.read_timeout_seconds is None else request.read_timeout_seconds
        ),
    }


def _response(answer: httpx.Response) -> Response:
    return Response(status=answer.status_code, headers=dict(answer.headers), body=answer.content)


def _next(chunks: Iterator[bytes]) -> bytes | Lost:
    try:
        return next(chunks, b"")
    except (httpx.HTTPError, httpx.StreamError) as error:
        return _lost(error)


async def _next_async(chunks: AsyncIterator[bytes]) -> bytes | Lost:
    try:
        return await anext(chunks, b"")
    except (httpx.HTTPError, httpx.StreamError) as error:
        return _lost(error)


async def _no_chunks() -> AsyncIterator[bytes]:
    return
    yield


def _lost(error: Exception) -> Lost:
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        # The request itself is wrong: sending it again would fail again.
        raise RequestInvalid(f"This cannot be used: {error}") from error
    if (invalid := _certificate_error(error)) is not None:
        # Another attempt would find the same certificate.
        raise CertificateInvalid(
            f"The service's certificate is not valid: {invalid.verify_message.strip('. ')}. For an authority of your "
            "own set SSL_CERT_FILE to the file of its certificate."
        ) from error
    return Lost(str(error) or type(error).__name__)


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The error of `ssl` among those that an error of httpx was raised from."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
