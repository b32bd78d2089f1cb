"""Messages over HTTP to receivers on loopback: what is sent, what counts as accepted, and where none is sent to."""

import asyncio
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import httpcore
import pytest
from standardwebhooks import WebhookVerificationError

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.callback_url import Address, CallbackRule
from ketline.domain.webhooks.deliveries import Attempt, ClaimedDelivery, DeliveryId, new_secret
from ketline.webhooks.network import SystemResolver
from ketline.webhooks.sender import HttpCallbackSender
from ketline.webhooks.stream import MAX_ANSWER_BYTES, BoundedStream
from tests.receivers import ACCEPTED, answer, receiving

LOOPBACK = CallbackRule((ip_network("127.0.0.0/8"),))
SECRET, OLD_SECRET = new_secret(), new_secret()
BODY = '{"type": "task.completed", "data": {"name": "π"}}'


class Names:
    """A resolver with one answer after another, the last one for ever; counts the look-ups."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.looked_up: list[str] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.looked_up.append(host)
        response = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ip_address(one) for one in response]


def sender(rule: CallbackRule = LOOPBACK, resolve: Any = None, **own: Any) -> HttpCallbackSender:
    return HttpCallbackSender(
        rule, resolve or Names(["127.0.0.1"]), **{"timeout_seconds": 30.0, "user_agent": "ketline/1", **own}
    )


def message(url: str, host: str = "127.0.0.1") -> ClaimedDelivery:
    return ClaimedDelivery(
        delivery_id=DeliveryId(UUID(int=7)),
        task_id=TaskId(UUID(int=1)),
        project=DEFAULT_PROJECT,
        url=url,
        host=host,
        body=BODY,
        attempt=1,
        secrets=[SECRET, OLD_SECRET],
    )


async def test_message_is_signed_so_that_the_library_of_receivers_verifies_it() -> None:
    async with receiving() as receiver:
        attempt = await sender().send(message(f"{receiver.url}?a=b", f"127.0.0.1:{receiver.port}"))
    assert attempt == Attempt(status=204)
    [received] = receiver.requests
    assert (received.method, received.target, received.body.decode()) == ("POST", "/hooks?a=b", BODY)
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == "ketline/1"
    assert received.message_id == "msg_00000000000000000000000000000007"
    for secret in (SECRET, OLD_SECRET):
        assert received.verified(secret)["data"] == {"name": "π"}
    with pytest.raises(WebhookVerificationError):
        received.verified(new_secret())


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_any_status_of_success_is_enough(status: int) -> None:
    async with receiving(lambda received: answer(status, body=b"thanks")) as receiver:
        assert await sender().send(message(receiver.url)) == Attempt(status=status)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_other_status_is_a_failure(status: int) -> None:
    async with receiving(lambda received: answer(status, body=b"no")) as receiver:
        attempt = await sender().send(message(receiver.url))
    assert (attempt.status, attempt.gone, attempt.pause_seconds) == (status, False, 0.0)
    assert f"answered {status}" in str(attempt.error)


async def test_receiver_may_be_gone() -> None:
    async with receiving(lambda received: answer(410)) as receiver:
        assert (await sender().send(message(receiver.url))).gone


@pytest.mark.parametrize(
    ("given", "pause"), [("120", 120.0), ("999999999", 3600.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-1", 0.0)]
)
async def test_busy_receiver_may_ask_for_a_pause(given: str, pause: float) -> None:
    async with receiving(lambda received: answer(503, f"Retry-After: {given}")) as receiver:
        assert (await sender().send(message(receiver.url))).pause_seconds == pause


async def test_redirect_is_not_followed() -> None:
    async with receiving() as elsewhere:
        location = f"Location: {elsewhere.url}"
        async with receiving(lambda received: answer(307, location)) as receiver:
            attempt = await sender().send(message(receiver.url))
    assert "redirect" in str(attempt.error)
    assert elsewhere.connections == 0


async def test_receiver_that_does_not_answer_is_given_up_in_time() -> None:
    async with receiving(lambda received: None) as receiver:
        attempt = await sender(timeout_seconds=0.3).send(message(receiver.url))
    assert attempt.error == "no complete answer within 0.3 s"


async def test_receiver_that_answers_byte_by_byte_is_given_up_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        began = time.monotonic()
        attempt = await sender(timeout_seconds=0.5).send(message(f"http://127.0.0.1:{port}/"))
        assert attempt.error is not None
        assert time.monotonic() - began < 20


async def test_resolver_that_hangs_is_given_up_in_time() -> None:
    async def never(host: str, port: int) -> Sequence[Address]:
        await asyncio.Event().wait()
        raise AssertionError

    attempt = await sender(resolve=never, timeout_seconds=0.2).send(message("http://slow.example/"))
    assert "0.2 s" in str(attempt.error)


async def test_huge_answer_is_not_read() -> None:
    sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    huge = 512 * MAX_ANSWER_BYTES

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n".encode())
        total = 0
        try:
            while total < huge:
                writer.write(b"x" * MAX_ANSWER_BYTES)
                await writer.drain()
                total += MAX_ANSWER_BYTES
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            sent.set_result(total)

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await sender().send(message(f"http://127.0.0.1:{port}/")) == Attempt(status=200)
        # What the buffers of both sockets take is sent, although nobody reads it.
        assert await asyncio.wait_for(sent, 30) < huge / 2


@pytest.mark.parametrize(
    ("start", "repeated"),
    [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n")],
    ids=["interim", "headers"],
)
async def test_answer_that_does_not_come_to_its_end_is_not_read_on(start: bytes, repeated: bytes) -> None:
    """All of it is parsed, which would occupy the event loop for as long as the receiver likes."""
    rest = repeated * (16 * MAX_ANSWER_BYTES // len(repeated))
    async with receiving(lambda received: start + rest) as receiver:
        attempt = await sender().send(message(receiver.url))
    assert attempt == Attempt(error="ReadError: the answer is too long")


class Endless(httpcore.AsyncNetworkStream):
    """A connection that gives whatever is requested."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"x" * max_bytes

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return self


@pytest.mark.parametrize("tls", [False, True])
async def test_connection_gives_so_many_bytes_in_small_pieces_and_no_more(tls: bool) -> None:
    stream: httpcore.AsyncNetworkStream = BoundedStream(Endless())
    sizes = [len(await stream.read(MAX_ANSWER_BYTES))]
    if tls:
        stream = await stream.start_tls(ssl.create_default_context())
    while sum(sizes) < MAX_ANSWER_BYTES:
        sizes.append(len(await stream.read(MAX_ANSWER_BYTES)))
    assert sum(sizes) == MAX_ANSWER_BYTES
    with pytest.raises(httpcore.ReadError):
        await stream.read(1)
    assert max(sizes) <= MAX_ANSWER_BYTES / 8


async def test_accepted_message_is_delivered_though_the_rest_of_the_answer_is_lost() -> None:
    async with receiving(lambda received: b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort") as receiver:
        assert await sender().send(message(receiver.url)) == Attempt(status=200)


async def test_connection_that_breaks_is_a_failure() -> None:
    async with receiving(lambda received: b"") as receiver:
        attempt = await sender().send(message(receiver.url))
    assert (attempt.status, attempt.error is not None) == (None, True)


async def test_receiver_that_is_down_is_a_failure() -> None:
    async with receiving() as receiver:
        url = receiver.url
    attempt = await sender().send(message(url))
    assert "ConnectError" in str(attempt.error)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["10.0.0.1", "169.254.169.254"], ["::ffff:127.0.0.1"]])
async def test_private_address_is_not_connected_to(addresses: list[str]) -> None:
    async with receiving() as receiver:
        resolve = Names(addresses)
        attempt = await sender(CallbackRule(), resolve).send(message(f"https://public.example:{receiver.port}/"))
    assert attempt.error == "rejected: its host has no public address"
    assert (resolve.looked_up, receiver.connections) == (["public.example"], 0)


async def test_name_whose_address_changes_after_the_check_leads_nowhere_else() -> None:
    """The second answer would be the private address; a connection that looked the name up again would go there."""
    rule = CallbackRule((ip_network("127.0.0.2/32"),))
    async with receiving() as forbidden:
        server = await asyncio.start_server(_accept, "127.0.0.2", forbidden.port)
        async with server:
            resolve = Names(["127.0.0.2"], ["127.0.0.1"])
            url = f"http://rebound.example:{forbidden.port}/"
            assert (await sender(rule, resolve).send(message(url))).status == 204
            assert resolve.looked_up == ["rebound.example"]
            attempt = await sender(rule, resolve).send(message(url))
        assert attempt.error == "rejected: its host has no public address"
    assert forbidden.connections == 0


async def test_permitted_addresses_of_a_host_are_tried_in_turn() -> None:
    rule = CallbackRule((ip_network("127.0.0.0/30"),))
    async with receiving() as receiver:
        resolve = Names(["10.0.0.1", "127.0.0.3", "127.0.0.1"])
        assert (await sender(rule, resolve).send(message(f"http://some.example:{receiver.port}/"))).status == 204


async def test_host_without_an_address_is_a_failure() -> None:
    async def unknown(host: str, port: int) -> Sequence[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    attempt = await sender(resolve=unknown).send(message("https://unknown.example/"))
    assert "cannot be resolved" in str(attempt.error)
    assert "no address" in str((await sender(resolve=Names([])).send(message("https://none.example/"))).error)


async def test_stored_url_that_is_none_is_a_failure() -> None:
    assert "the URL must be" in str((await sender().send(message("gopher://example.org/"))).error)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert (await sender().send(message(receiver.url))).status == 204
    assert proxy.connections == 0


async def test_system_resolver_gives_every_form_of_an_address_as_the_address_it_is() -> None:
    resolve = SystemResolver()
    try:
        for host in ("127.0.0.1", "2130706433", "127.1", "0x7f.1"):
            assert list(await resolve(host, 80)) == [ip_address("127.0.0.1")]
        assert ip_address("127.0.0.1") in await resolve("localhost", 80)
    finally:
        resolve.close()


async def test_look_ups_of_one_name_at_a_time_occupy_one_thread() -> None:
    """A name server that does not answer holds a thread for longer than an attempt takes."""
    silent, asked = threading.Event(), []

    def look_up(host: str) -> list[str]:
        asked.append(host)
        if host == "silent.example":
            silent.wait(60)
        return ["127.0.0.1"]

    resolve = SystemResolver(threads=2, look_up=look_up)
    try:
        given_up = [asyncio.ensure_future(resolve(host, 443)) for host in ("silent.example", "Silent.example") * 4]
        await asyncio.sleep(0)
        given_up.pop().cancel()
        async with asyncio.timeout(30):
            assert list(await resolve("other.example", 443)) == [ip_address("127.0.0.1")]
            silent.set()
            await asyncio.gather(*given_up)
            await resolve("silent.example", 443)
    finally:
        silent.set()
        resolve.close()
    assert sorted(asked) == ["other.example", "silent.example", "silent.example"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for receiver.example, with its key."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    name = ["-nodes", "-subj", "/CN=receiver.example", "-addext", "subjectAltName=DNS:receiver.example"]
    subprocess.run([*request, *name, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


async def test_tls_checks_the_name_of_the_url_on_the_checked_address(certificate: tuple[Path, Path]) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    names: list[str | None] = []
    server.sni_callback = lambda connection, name, context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    async with receiving(tls=server) as receiver:
        url = f"https://receiver.example:{receiver.port}/"
        assert (await sender(tls=trusting).send(message(url))).status == 204
        untrusted = await sender().send(message(url))
        other = await sender(tls=trusting).send(message(f"https://other.example:{receiver.port}/"))
    assert len(receiver.requests) == 1
    assert names[:1] == ["receiver.example"]
    assert "self-signed" in str(untrusted.error)
    assert "other.example" in str(other.error)


async def _accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ACCEPTED)
    await writer.drain()
    writer.close()
