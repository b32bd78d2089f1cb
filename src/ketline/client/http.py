"""Hold conversations over HTTP, with and without asyncio. Imports httpx: only a client that is made needs it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any, TypeVar

import httpx

from ketline.client.address import AddressInvalid, is_loopback, shown_url
from ketline.client.errors import RequestInvalid
from ketline.client.wire import (
    Close,
    Flow,
    Give,
    Lost,
    Open,
    Outcome,
    Pause,
    Read,
    Request,
    Response,
    Send,
    Step,
)

T = TypeVar("T")
CONNECT_SECONDS = 10.0
MOST_CONNECTIONS = 100
REQUESTS = httpx.Limits(max_connections=MOST_CONNECTIONS)
# Each stream has a connection for as long as it is open, which no request can wait for.
STREAMS = httpx.Limits(max_connections=None, max_keepalive_connections=MOST_CONNECTIONS)


class HttpWire:
    """Does the steps of conversations, each thread its own; streams have a pool of connections to themselves."""

    def __init__(self, url: str, headers: Mapping[str, str], silence_seconds: float, transport: Any = None) -> None:
        settings = _settings(url, headers, silence_seconds)
        with _refused(url):
            self._http = httpx.Client(**settings, limits=REQUESTS, transport=transport)
            self._streams = httpx.Client(**settings, limits=STREAMS, transport=transport)
        self._silence_seconds = silence_seconds

    def close(self) -> None:
        self._streams.close()
        self._http.close()

    def hold(self, flow: Flow[T]) -> T:
        """Hold a conversation that needs no stream, and give its result."""
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._do(step)

    def listen(self, flow: Flow[None]) -> Iterator[Any]:
        """What the conversation gives, one by one; it goes on while the next one is asked for."""
        with ExitStack() as stack:
            chunks: Iterator[bytes] = iter(())
            outcome: Outcome = None
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Give):
                    yield step.item
                elif isinstance(step, Open):
                    stack.close()
                    outcome, chunks = self._open(step.request, stack)
                elif isinstance(step, Read):
                    outcome = _next(chunks)
                elif isinstance(step, Close):
                    stack.close()
                else:
                    outcome = self._do(step)

    def _do(self, step: Step) -> Outcome:
        if isinstance(step, Send):
            try:
                return _response(self._http.request(**self._asked(step.request)))
            except (httpx.HTTPError, httpx.StreamError) as error:
                return _lost(error)
        assert isinstance(step, Pause)
        time.sleep(step.seconds)
        return None

    def _open(self, request: Request, stack: ExitStack) -> tuple[Response | Lost, Iterator[bytes]]:
        try:
            answer = stack.enter_context(self._streams.stream(**self._asked(request)))
            if answer.status_code != 200:
                answer.read()
                return _response(answer), iter(())
        except (httpx.HTTPError, httpx.StreamError) as error:
            return _lost(error), iter(())
        return Response(status=200, headers=dict(answer.headers)), answer.iter_bytes()

    def _asked(self, request: Request) -> dict[str, Any]:
        if self._http.is_closed:
            raise RequestInvalid("This client is closed: make another.")
        return _asked(request, self._silence_seconds)


class AsyncHttpWire:
    """Does the steps of conversations in one event loop; streams have a pool of connections to themselves."""

    def __init__(self, url: str, headers: Mapping[str, str], silence_seconds: float, transport: Any = None) -> None:
        settings = _settings(url, headers, silence_seconds)
        with _refused(url):
            self._http = httpx.AsyncClient(**settings, limits=REQUESTS, transport=transport)
            self._streams = httpx.AsyncClient(**settings, limits=STREAMS, transport=transport)
        self._silence_seconds = silence_seconds

    async def close(self) -> None:
        await self._streams.aclose()
        await self._http.aclose()

    async def hold(self, flow: Flow[T]) -> T:
        """Hold a conversation that needs no stream, and give its result."""
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._do(step)

    async def listen(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """What the conversation gives, one by one; it goes on while the next one is asked for."""
        async with AsyncExitStack() as stack:
            chunks = _nothing()
            outcome: Outcome = None
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Give):
                    yield step.item
                elif isinstance(step, Open):
                    await stack.aclose()
                    outcome, chunks = await self._open(step.request, stack)
                elif isinstance(step, Read):
                    outcome = await _anext(chunks)
                elif isinstance(step, Close):
                    await stack.aclose()
                else:
                    outcome = await self._do(step)

    async def _do(self, step: Step) -> Outcome:
        if isinstance(step, Send):
            try:
                return _response(await self._http.request(**self._asked(step.request)))
            except (httpx.HTTPError, httpx.StreamError) as error:
                return _lost(error)
        assert isinstance(step, Pause)
        await asyncio.sleep(step.seconds)
        return None

    async def _open(self, request: Request, stack: AsyncExitStack) -> tuple[Response | Lost, AsyncIterator[bytes]]:
        try:
            answer = await stack.enter_async_context(self._streams.stream(**self._asked(request)))
            if answer.status_code != 200:
                await answer.aread()
                return _response(answer), _nothing()
        except (httpx.HTTPError, httpx.StreamError) as error:
            return _lost(error), _nothing()
        return Response(status=200, headers=dict(answer.headers)), answer.aiter_bytes()

    def _asked(self, request: Request) -> dict[str, Any]:
        if self._http.is_closed:
            raise RequestInvalid("This client is closed: make another.")
        return _asked(request, self._silence_seconds)


@contextmanager
def _refused(url: str) -> Iterator[None]:
    """Proxies of the environment may be such as httpx does not know, or lack a library for."""
    try:
        assert httpx.URL(url).host
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise AddressInvalid(f"{shown_url(url)} cannot be asked: {error}") from error


def _settings(url: str, headers: Mapping[str, str], silence_seconds: float) -> dict[str, Any]:
    return {
        "base_url": url,
        "headers": headers,
        "timeout": _timeout(silence_seconds),
        "trust_env": not is_loopback(url),
        # Reading the certificates of this world takes longer than a task, and redirects, to https or elsewhere, are
        # not followed.
        "verify": False if url.startswith("http:") else httpx.create_ssl_context(),
    }


def _timeout(silence_seconds: float) -> httpx.Timeout:
    # A request that waits for those before it is not unanswered.
    return httpx.Timeout(silence_seconds, connect=min(CONNECT_SECONDS, silence_seconds), pool=None)


def _asked(request: Request, silence_seconds: float) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "content": request.body,
        "headers": dict(request.headers),
        "timeout": _timeout(silence_seconds if request.silence_seconds is None else request.silence_seconds),
    }


def _response(answer: httpx.Response) -> Response:
    return Response(status=answer.status_code, headers=dict(answer.headers), body=answer.content)


def _next(chunks: Iterator[bytes]) -> bytes | Lost:
    try:
        return next(chunks, b"")
    except (httpx.HTTPError, httpx.StreamError) as error:
        return _lost(error)


async def _anext(chunks: AsyncIterator[bytes]) -> bytes | Lost:
    try:
        return await anext(chunks, b"")
    except (httpx.HTTPError, httpx.StreamError) as error:
        return _lost(error)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


def _lost(error: Exception) -> Lost:
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        # It is this side's fault, and the same again will not do.
        raise RequestInvalid(f"This cannot be asked: {error}") from error
    return Lost(str(error) or type(error).__name__)
