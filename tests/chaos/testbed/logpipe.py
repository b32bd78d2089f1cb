"""The log of a process, through a pipe that can be left unread or closed."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast


class LogPipe(asyncio.Protocol):
    """Copies what comes through a pipe to a file, until the last who could write has ended; `writing` is their end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._ended = asyncio.Event()
        self._transport: asyncio.ReadTransport | None = None
        self._reading, self.writing = os.pipe()

    async def open(self) -> None:
        """Begin to copy."""
        pipe = os.fdopen(self._reading, "rb", buffering=0)
        await asyncio.get_running_loop().connect_read_pipe(lambda: self, pipe)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._file.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._file.close()
        self._ended.set()

    @contextmanager
    def unread(self) -> Iterator[None]:
        """Nothing is read meanwhile."""
        transport: Any = self._transport
        transport.pause_reading()
        try:
            yield
        finally:
            if not transport.is_closing():
                transport.resume_reading()

    def close(self) -> None:
        """Read no more: who writes is told that there is no reader."""
        if self._transport is not None:
            self._transport.close()

    async def ended(self) -> None:
        """Return when all that was written is in the file."""
        await self._ended.wait()
