"""Large results: compressed once, and sent in pieces as the client reads, so that they need little memory.

The routes that send results or drawings, and the downloads of pages, make their responses with it.

A body stays in memory until its slowest reader has it. Counts compress to a fifth or less of their size.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from weakref import WeakValueDictionary

from fastapi import Response
from fastapi.responses import StreamingResponse

PIECE_BYTES = 64 * 1024
# The part of a large result that is encoded and compressed at once.
_MAX_AT_ONCE = 1024 * 1024
_COMPRESSION = 1  # 0.2 s for 11 MiB of counts, to a quarter; the next levels take twice that for a tenth less
# zlib writes the header and trailer of gzip with these window bits (zlib's manual, deflateInit2).
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Packed:
    """A body in gzip format, with the length and the hexadecimal SHA-256 of the uncompressed body.

    `headers` are headers of the response that depend on the body.
    """

    data: bytes
    length: int
    digest: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def pieces(self) -> Iterator[bytes]:
        """Yield the uncompressed body in pieces."""
        unpacking = zlib.decompressobj(wbits=_GZIP_WINDOW)
        rest = self.data
        while not unpacking.eof:
            yield unpacking.decompress(rest, PIECE_BYTES)
            rest = unpacking.unconsumed_tail

    def part(self, wanted: range) -> Iterator[bytes]:
        """Yield a range of the uncompressed body in pieces; it decompresses the bytes before the range too."""
        start = 0
        for piece in self.pieces():
            if start >= wanted.stop:
                return
            yield piece[max(0, wanted.start - start) : wanted.stop - start]
            start += len(piece)

    def compressed_pieces(self) -> Iterator[bytes]:
        """Yield the compressed body in pieces."""
        for start in range(0, len(self.data), PIECE_BYTES):
            yield self.data[start : start + PIECE_BYTES]


def pack(parts: Iterable[str | bytes], headers: Mapping[str, str] | None = None) -> Packed:
    """Compress a body that is given in parts; blocks, so call it in a thread."""
    packing, digest = zlib.compressobj(_COMPRESSION, wbits=_GZIP_WINDOW), sha256()
    packed, length = [], 0
    for part in parts:
        for start in range(0, len(part), _MAX_AT_ONCE):
            piece = part[start : start + _MAX_AT_ONCE]
            encoded = piece.encode() if isinstance(piece, str) else piece
            length += len(encoded)
            digest.update(encoded)
            packed.append(packing.compress(encoded))
    packed.append(packing.flush())
    return Packed(b"".join(packed), length, digest.hexdigest(), headers or {})


def unpacked_response(
    packed: Packed, media_type: str, headers: Mapping[str, str], *, compressed: bool, status_code: int = 200
) -> Response:
    """The response with this body; if not `compressed`, it is decompressed while it is sent."""
    length = len(packed.data) if compressed else packed.length
    sent = {**headers, "Content-Length": str(length), **({"Content-Encoding": "gzip"} if compressed else {})}
    pieces = packed.compressed_pieces() if compressed else packed.pieces()
    return StreamingResponse(_async_pieces(pieces), status_code, headers=sent, media_type=media_type)


class LargeResults:
    """Lets one request at a time read and encode a large result, and shares each body among its requests.

    A decoded result needs many times its size in memory, a compressed body a fraction of it. A body stays in memory
    while it is sent, while a request waits for it, and while it is the newest.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._bodies: WeakValueDictionary[str, Packed] = WeakValueDictionary()
        self._held: dict[str, Packed] = {}
        self._newest = ""
        self._waiting: Counter[str] = Counter()

    async def packed(self, key: str, make: Callable[[], Awaitable[Packed]]) -> Packed:
        """The body with this key; `make` creates it if there is none."""
        self._waiting[key] += 1
        try:
            async with self.turn:
                body = self._bodies.get(key)
                if body is None:
                    body = self._bodies[key] = await make()
                self._held[key], self._newest = body, key
                return body
        finally:
            self._waiting[key] -= 1
            self._waiting += Counter()  # removes keys without waiting requests
            self._held = {held: self._held[held] for held in self._held if held in {*self._waiting, self._newest}}


async def _async_pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # As an async iterator, so that Starlette starts no thread per piece: one takes a tenth of a millisecond.
    for piece in pieces:
        yield piece
