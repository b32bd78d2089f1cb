"""A TCP proxy before PostgreSQL that cuts the connection around the COMMIT of one chosen transaction.

A statement outside a transaction is one by itself: its execution is its COMMIT.
"""

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.failpoints.control import Control, Fault
from tests.failpoints.transactions import Transaction

CHUNK_BYTES = 1 << 16
_STARTUP, _TYPED = 4, 5
_UPDATED = re.compile(rb"UPDATE [1-9][0-9]*\0")
_READY = b"Z\0\0\0\5"  # followed by one byte, the status of the transaction


@dataclass(slots=True)
class FrontendReader:
    """Follows one client's messages: which statements its present transaction has executed.

    Source: PostgreSQL documentation, "Message Formats": Parse, Bind, Query, and the untyped start-up messages.
    """

    stream: asyncio.StreamReader
    statements: list[str] = field(default_factory=list)
    _named: dict[bytes, str] = field(default_factory=dict)
    _started: bool = False

    async def next(self) -> bytes:
        """One whole message."""
        head = await self.stream.readexactly(_TYPED if self._started else _STARTUP)
        (length,) = struct.unpack("!I", head[-4:])
        body = await self.stream.readexactly(length - 4)
        if self._started:
            self._follow(head[:1], body)
        else:
            self._started = body[:2] == b"\x00\x03"  # protocol 3; anything else asks for encryption first
        return head + body

    def _follow(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"P":
                name, query = body.split(b"\0")[:2]
                self._named[name] = query.decode()
            case b"B":
                _, name, rest = body.split(b"\0", 2)
                self.statements.append("\n".join([self._named.get(name, ""), *_values(rest)]))
            case b"Q":
                self.statements.append(body.rstrip(b"\0").decode())

    def at_beginning(self) -> bool:
        return len(self.statements) == 1

    def at_commit(self) -> bool:
        return self._last() == "COMMIT" or self._alone()

    def at_end(self) -> bool:
        return self._last() in {"COMMIT", "ROLLBACK"} or self._alone()

    def _alone(self) -> bool:
        """Whether a statement is about to be executed outside a transaction."""
        return bool(self.statements) and not self.statements[0].upper().startswith("BEGIN")

    def _last(self) -> str:
        return self.statements[-1].rstrip("; ").upper() if self.statements else ""


def _values(rest: bytes) -> Iterator[str]:
    """The values that a Bind message gives to its statement, by what follows the two names; binary ones are garbled.

    The last is empty, unless there is none: then each value stands on lines of its own.
    """
    (formats,) = struct.unpack_from("!H", rest)
    at = 2 + 2 * formats
    (values,) = struct.unpack_from("!H", rest, at)
    at += 2
    for _ in range(values):
        (length,) = struct.unpack_from("!i", rest, at)
        at += 4
        yield rest[at : at + max(length, 0)].decode("latin-1")
        at += max(length, 0)
    if values:
        yield ""


@dataclass(slots=True)
class Answers:
    """The server's side of one connection."""

    muted: bool = False
    _changed: bool = False
    _left_alone: bool = False

    @property
    def nothing_changed(self) -> bool:
        """Whether the transaction had something to update, and found no row of it."""
        return self._left_alone and not self._changed

    def begin(self) -> None:
        """A transaction begins."""
        self._changed = self._left_alone = False

    async def forward(self, upstream: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        unheard = b""
        while data := await upstream.read(CHUNK_BYTES):
            if self.muted:
                unheard += data
                if unheard[:-1].endswith(_READY):
                    return  # the COMMIT has happened, and nobody will hear of it
                continue
            self._left_alone |= b"UPDATE 0\0" in data
            self._changed |= _UPDATED.search(data) is not None
            client.write(data)
            await client.drain()


class CuttingProxy:
    """Forwards connections to a server; an armed point names the transaction after whose COMMIT one is cut."""

    def __init__(self, server_port: int, control: Control) -> None:
        self._server_port = server_port
        self._control = control
        self._down = False
        self._connected: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", port)
        try:
            yield
        finally:
            server.close()

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Cut every connection, and take no other, for the time of the context."""
        self._down = True
        for client in self._connected:
            client.transport.abort()
        try:
            yield
        finally:
            self._down = False

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        self._connected.add(writer)
        try:
            await self._forward(reader, writer)
        finally:
            self._connected.discard(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._server_port)
        responses = Answers()
        await _until_first_ends(
            self._forward_requests(reader, upstream, responses), responses.forward(upstream_reader, writer)
        )
        for end in (writer, upstream):
            end.transport.abort()

    async def _forward_requests(
        self, client: asyncio.StreamReader, upstream: asyncio.StreamWriter, answers: Answers
    ) -> None:
        messages = FrontendReader(client)
        while True:
            message = await messages.next()
            if messages.at_beginning():
                answers.begin()
            if messages.at_commit():
                fault = None if answers.nothing_changed else self._fault_of(messages.statements)
                if fault is Fault.LOST:
                    return
                answers.muted = fault is Fault.CUT
            if messages.at_end():
                messages.statements.clear()
            upstream.write(message)
            await upstream.drain()

    def _fault_of(self, statements: list[str]) -> Fault | None:
        for transaction in Transaction:
            if transaction.matches(statements):
                return self._control.claim(transaction.point, "proxy")
        return None


async def _until_first_ends(*directions: Awaitable[None]) -> None:
    async def quietly(direction: Awaitable[None]) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await direction

    running = [asyncio.ensure_future(quietly(direction)) for direction in directions]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
