"""Receivers of messages on loopback, which record what arrives and answer as a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from standardwebhooks import Webhook

ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    """A complete answer of this status."""
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Received:
    """A request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def json(self) -> Any:
        """The message, whoever signed it."""
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """The message, if a signature is valid for the secret; raises `WebhookVerificationError` if none is."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass(slots=True)
class Receiver:
    """Answers each request with what `respond` returns for it, or never where that is None."""

    respond: Callable[[Received], bytes | None] = lambda received: ACCEPTED
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    async def after(self, number: int, seconds: float = 60.0) -> list[Received]:
        """The requests, once there are so many."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests

    async def until(self, enough: Callable[[list[Received]], bool], seconds: float = 60.0) -> list[Received]:
        """The requests, once they are enough."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: enough(self.requests))
        return self.requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            received = await _read(reader)
            async with self._arrived:
                self.requests.append(received)
                self._arrived.notify_all()
            response = self.respond(received)
            if response is None:
                await reader.read()  # until the sender goes away
            else:
                writer.write(response)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Received(method, target, headers, await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def receiving(
    respond: Callable[[Received], bytes | None] = lambda received: ACCEPTED,
    *,
    port: int = 0,
    tls: SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    """A receiver on a port of loopback while the context is open."""
    receiver = Receiver(respond)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
