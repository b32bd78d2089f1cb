"""A connection of which only a limited number of bytes is read; `network.py` opens it."""

import ssl
from typing import Any

import httpcore

# Of all that a receiver sends: interim responses, headers, chunks with what frames them, and what is in these.
MAX_ANSWER_BYTES = 64 * 1024
# What is parsed before other work of the event loop has its turn.
_READ_BYTES = 4096


class BoundedStream(httpcore.AsyncNetworkStream):
    """Reads up to `most_bytes` of a connection, without TLS if it has that, and raises httpcore's `ReadError` then."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, most_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._stream = stream
        self._left = most_bytes

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._left:
            raise httpcore.ReadError("the answer is too long")
        read = await self._stream.read(min(max_bytes, self._left, _READ_BYTES), timeout)
        self._left -= len(read)
        return read

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
