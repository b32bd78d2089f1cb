"""The drivers over httpx, with and without asyncio, with a scripted transport."""

import inspect
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
from qiskit import QuantumCircuit

from ketline.client import (
    AddressInvalid,
    AsyncClient,
    AsyncTaskHandle,
    Client,
    RequestInvalid,
    RequestRefused,
    Retries,
    ServiceUnreachable,
    TaskHandle,
    UnexpectedAnswer,
)
from ketline.client.convert import from_qiskit
from ketline.client.http import MAX_CONNECTIONS, _settings
from tests.unit.client.scripted import TASK_ID, accepted, event, task

URL = "http://ketline.test/below/"
AT_ONCE = Retries(max_seconds=0)


class Service:
    """Answers every request with the same response, and records the requests."""

    def __init__(self, response: httpx.Response | None = None, error: httpx.HTTPError | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._response, self._error = response, error

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._error is not None:
            raise self._error
        assert self._response is not None
        return self._response

    def client(self, **options: Any) -> Client:
        return Client(URL, transport=httpx.MockTransport(self), retries=AT_ONCE, **options)


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in chunks that breaks off at the end; `closed` is set when it is closed."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        raise httpx.ReadError("cut")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        raise httpx.ReadError("cut")

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def test_key_and_path_of_a_service_are_used() -> None:
    service = Service(httpx.Response(200, json=task()))
    with service.client(api_key="secret") as client:
        client.get(TASK_ID)
    (request,) = service.requests
    assert str(request.url) == f"http://ketline.test/below/tasks/{TASK_ID}?queue=true"
    assert request.headers["authorization"] == "Bearer secret"


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETLINE_URL", "http://elsewhere:1/")
    monkeypatch.setenv("KETLINE_API_KEY", "hidden")
    service = Service(httpx.Response(200, json=task()))
    with Client(transport=httpx.MockTransport(service)) as client:
        client.get(TASK_ID)
        assert client.url == "http://elsewhere:1"
    assert service.requests[0].headers["authorization"] == "Bearer hidden"


@pytest.mark.parametrize(
    ("url", "verified"),
    [("https://host", True), ("HTTPS://host", True), ("Https://host", True), ("HTTP://host", False)],
)
def test_certificates_are_verified_however_https_is_written(url: str, verified: bool) -> None:
    with Client(url) as client:
        assert client.url == url.lower()
        assert bool(_settings(client.url, {}, 1.0)["verify"]) is verified
    assert _settings(url, {}, 1.0)["verify"] or not verified


def test_key_is_not_sent_to_the_target_of_a_redirect() -> None:
    service = Service(httpx.Response(307, headers={"location": "http://other.test/tasks"}))
    with service.client(api_key="secret") as client, pytest.raises(UnexpectedAnswer, match=r"other\.test"):
        client.submit("qubit q;")
    assert len(service.requests) == 1


def test_every_submission_has_its_own_key() -> None:
    accepted = {"task_id": str(TASK_ID), "submitted_at": "2026-01-02T03:04:05Z", "correlation_id": "c"}
    service = Service(httpx.Response(202, json=accepted))
    with service.client() as client:
        for _ in range(3):
            client.submit("qubit q;")
        client.rerun(TASK_ID)
    assert len({request.headers["idempotency-key"] for request in service.requests}) == 4


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("rejected"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("x")]
)
async def test_httpx_errors_are_lost_responses(error: httpx.HTTPError) -> None:
    transport = httpx.MockTransport(Service(error=error))
    with Client(URL, transport=transport, retries=AT_ONCE) as client, pytest.raises(ServiceUnreachable):
        client.workers()
    async with AsyncClient(URL, transport=transport, retries=AT_ONCE) as asking:
        with pytest.raises(ServiceUnreachable):
            await asking.workers()


def test_a_stream_is_reopened_after_breaks_and_closed() -> None:
    first, second = Chunks(event(1, "pending")), Chunks(event(2, "processing"), event(3, "completed"))
    streams = iter([first, second])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=next(streams))

    with Client(URL, transport=httpx.MockTransport(answer)) as client:
        assert [one.event_id for one in client.events(TASK_ID)] == [1, 2, 3]
    assert first.closed
    assert second.closed


async def test_a_stream_is_reopened_after_breaks_with_asyncio_too() -> None:
    first, second = Chunks(event(1, "pending")), Chunks(event(2, "processing"), event(3, "completed"))
    streams = iter([first, second])

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=next(streams))

    async with AsyncClient(URL, transport=httpx.MockTransport(answer)) as client:
        assert [one.event_id async for one in client.events(TASK_ID)] == [1, 2, 3]
    assert first.closed
    assert second.closed


def test_an_abandoned_stream_is_closed() -> None:
    stream = Chunks(event(1, "pending"), event(2, "processing"))
    with Client(URL, transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=stream))) as client:
        events = client.events(TASK_ID)
        next(events)
        events.close()  # type: ignore[attr-defined]  # it is a generator
    assert stream.closed


class Connection(httpcore.NetworkStream):
    """A connection that returns a task, or one event of an endless stream."""

    def __init__(self) -> None:
        self._asked, self._answer = b"", [b""]

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked += buffer
        head, body = b"HTTP/1.1 200 OK\r\n", json.dumps(task()).encode()
        if b"/events" in self._asked:
            self._answer = [head + b"\r\n", event(1, "pending")]
        else:
            self._answer = [head + f"content-length: {len(body)}\r\n\r\n".encode() + body]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._answer.pop(0) if self._answer else b""

    def get_extra_info(self, info: str) -> Any:
        return None

    def close(self) -> None:
        pass


def test_open_streams_take_no_connections_from_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_, **__: Connection())
    with Client(URL, read_timeout_seconds=0.1, retries=AT_ONCE) as client:
        streams = [client.events(TASK_ID) for _ in range(MAX_CONNECTIONS + 1)]
        for stream in streams:
            assert next(stream).event_id == 1
        assert client.get(TASK_ID).task_id == TASK_ID
        for stream in streams:
            stream.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_request_waits_for_a_connection_without_a_time_limit() -> None:
    service = Service(httpx.Response(200, json=task()))
    with service.client(read_timeout_seconds=0.1) as client:
        client.get(TASK_ID)
    assert service.requests[0].extensions["timeout"] == {"connect": 0.1, "read": 0.1, "write": 0.1, "pool": None}


def test_rejection_of_a_stream_has_its_code() -> None:
    problem = {"code": "task_not_found", "detail": "Task was not found.", "status": 404}
    with Service(httpx.Response(404, json=problem)).client() as client, pytest.raises(RequestRefused) as raised:
        next(client.events(TASK_ID))
    assert raised.value.code == "task_not_found"


@pytest.mark.parametrize(("sync", "awaited"), [(Client, AsyncClient), (TaskHandle, AsyncTaskHandle)])
def test_both_clients_have_the_same_calls(sync: type, awaited: type) -> None:
    assert _calls(sync) == _calls(awaited)


def _calls(shape: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(call).parameters)
        for name, call in inspect.getmembers(shape, inspect.isfunction)
        if not name.startswith("_") and not name.startswith("glance")
    }


def test_a_notebook_shows_a_task_although_the_service_is_down() -> None:
    with Service(error=httpx.ConnectError("rejected")).client() as client:
        assert "rejected" in client.task(TASK_ID)._repr_html_()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:1", "http://127.9.9.9"])
def test_a_service_on_this_machine_is_called_without_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy")
    with Client(url) as client:
        assert client.url == url


@pytest.mark.parametrize("proxy", ["nonsense://proxy:1", "socks5://proxy:1", "http://proxy:port"])
async def test_a_proxy_that_cannot_be_used_is_an_address_error(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    for make in (Client, AsyncClient):
        with pytest.raises(AddressInvalid, match="http://elsewhere cannot be used"):
            make("http://elsewhere")


@pytest.mark.parametrize("key", ["ü", "a\nb", "   ", "\x7f"])
async def test_key_that_no_header_can_have_is_rejected_before_a_request(key: str) -> None:
    service = Service()
    with service.client() as client:
        for ask in (client.submit, client.run, client.submit_batch):
            with pytest.raises(RequestInvalid):
                ask("q", idempotency_key=key)
    async with AsyncClient(URL, transport=httpx.MockTransport(service)) as asking:
        with pytest.raises(RequestInvalid):
            await asking.submit("q", idempotency_key=key)
    assert service.requests == []


@pytest.mark.parametrize("error", [httpx.LocalProtocolError("illegal"), httpx.UnsupportedProtocol("other")])
async def test_request_that_cannot_be_sent_is_not_retried(error: httpx.HTTPError) -> None:
    service = Service(error=error)
    transport = httpx.MockTransport(service)
    with Client(URL, transport=transport) as client, pytest.raises(RequestInvalid):
        client.workers()
    async with AsyncClient(URL, transport=transport) as asking:
        with pytest.raises(RequestInvalid):
            await asking.workers()
    assert len(service.requests) == 2


async def test_a_closed_client_raises() -> None:
    service = Service(httpx.Response(200, json=task()))
    client = service.client()
    client.close()
    with pytest.raises(RequestInvalid, match="closed"):
        client.get(TASK_ID)
    with pytest.raises(RequestInvalid, match="closed"):
        next(client.events(TASK_ID))
    assert "closed" in client.task(TASK_ID)._repr_html_()
    asking = AsyncClient(URL, transport=httpx.MockTransport(service))
    await asking.close()
    with pytest.raises(RequestInvalid, match="closed"):
        await asking.get(TASK_ID)


async def test_both_clients_convert_circuits() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    services = [Service(httpx.Response(202, json=accepted())) for _ in range(2)]
    with services[0].client() as client:
        handle = client.submit(circuit, shots=5)
    async with AsyncClient(URL, transport=httpx.MockTransport(services[1]), retries=AT_ONCE) as asynchronous:
        other = await asynchronous.submit(circuit, shots=5)
    bodies = [json.loads(request.content) for service in services for request in service.requests]
    assert bodies == [{"qc": from_qiskit(circuit).text, "format": "openqasm3", "shots": 5}] * 2
    assert handle.program == other.program == bodies[0]["qc"]


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "authorities.pem"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(AddressInvalid, match="SSL_CERT_FILE"):
        Client("https://ketline.test")
