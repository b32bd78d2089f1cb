"""A client that costs little: what it uses is taken from the service under test, which has the same cores."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

ANSWER_SECONDS = 70.0
WAIT_SECONDS = 60
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Connection:
    """One kept-open HTTP/1.1 connection, with one request under way at a time; no redirects, no chunks."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, key: str | None = None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._always = f"host: {host}\r\n" + (f"authorization: Bearer {key}\r\n" if key else "")

    async def submit(self, program: str, shots: int) -> dict[str, Any]:
        """Submit a program; gives the answer.

        Raises:
            RuntimeError: it was not accepted.
        """
        return await self._exchange("POST /tasks", json.dumps({"qc": program, "shots": shots}).encode(), expected=202)

    async def submit_batch(self, program: str, shots: int, count: int) -> dict[str, Any]:
        """Submit the same program many times in one request; gives the answer.

        Raises:
            RuntimeError: it was not accepted.
        """
        body = json.dumps({"tasks": [{"qc": program, "shots": shots}] * count}).encode()
        return await self._exchange("POST /tasks/batch", body, expected=202)

    async def run(self, program: str, shots: int) -> dict[str, Any]:
        """Submit a program and wait for its end; gives the task.

        Raises:
            RuntimeError: it was not accepted, or did not end in time.
        """
        body = json.dumps({"qc": program, "shots": shots}).encode()
        return await self._exchange("POST /tasks", body, expected=200, headers=f"prefer: wait={WAIT_SECONDS}\r\n")

    async def read(self, path: str) -> dict[str, Any]:
        """Read a resource.

        Raises:
            RuntimeError: the answer is not 200.
        """
        return await self._exchange(f"GET {path}", b"", expected=200)

    async def _exchange(self, target: str, body: bytes, *, expected: int, headers: str = "") -> dict[str, Any]:
        head = f"{target} HTTP/1.1\r\n{self._always}content-type: application/json\r\n{headers}"
        async with asyncio.timeout(ANSWER_SECONDS):
            self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            received = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(received)
            response = await self._reader.readexactly(int(length[1]) if length else 0)
        if (status := int(received.split(None, 2)[1])) != expected:
            raise RuntimeError(f"{target} was answered with {status}: {response[:300].decode(errors='replace')}")
        answered: dict[str, Any] = json.loads(response)
        return answered


@asynccontextmanager
async def connect(port: int, key: str | None = None) -> AsyncIterator[Connection]:
    """A connection to a service on this machine, which sends this API key."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer, f"127.0.0.1:{port}", key)
    finally:
        writer.close()
