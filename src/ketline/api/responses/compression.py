"""Send large bodies without holding them: compressed once, and sent piece by piece as the client reads.

A body waits in memory for the slowest of its readers. Counts are compressed to a fifth or less: many can wait so.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from fastapi import Response
from fastapi.responses import StreamingResponse

PIECE_BYTES = 64 * 1024
_COMPRESSION = 1  # 0.2 s for 11 MiB of counts, to a quarter; the next levels take twice that for a tenth less
# zlib writes the header and trailer of gzip with these window bits (zlib's manual, deflateInit2).
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Packed:
    """A body in gzip's format, and its length before."""

    data: bytes
    length: int

    def pieces(self) -> Iterator[bytes]:
        """The body as it was, piece by piece."""
        unpacking = zlib.decompressobj(wbits=_GZIP_WINDOW)
        rest = self.data
        while not unpacking.eof:
            yield unpacking.decompress(rest, PIECE_BYTES)
            rest = unpacking.unconsumed_tail

    def compressed_pieces(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), PIECE_BYTES):
            yield self.data[start : start + PIECE_BYTES]


def pack(parts: Iterable[str | bytes]) -> Packed:
    """Pack the parts of a body, one after the other; it takes as long as compressing does."""
    packing = zlib.compressobj(_COMPRESSION, wbits=_GZIP_WINDOW)
    packed, length = [], 0
    for part in parts:
        for start in range(0, len(part), _MOST_AT_ONCE):
            piece = part[start : start + _MOST_AT_ONCE]
            encoded = piece.encode() if isinstance(piece, str) else piece
            length += len(encoded)
            packed.append(packing.compress(encoded))
    packed.append(packing.flush())
    return Packed(b"".join(packed), length)


_MOST_AT_ONCE = 1024 * 1024


async def packed_response(
    parts: Iterable[str | bytes],
    media_type: str,
    headers: Mapping[str, str],
    *,
    compressed: bool,
    status_code: int = 200,
) -> Response:
    """An answer of this body, sent compressed or not; packing it does not hold up the event loop."""
    packed = await asyncio.to_thread(pack, parts)
    return unpacked_response(packed, media_type, headers, compressed=compressed, status_code=status_code)


def unpacked_response(
    packed: Packed, media_type: str, headers: Mapping[str, str], *, compressed: bool, status_code: int = 200
) -> Response:
    """An answer of this body, which is unpacked as it is sent where the client does not take it compressed."""
    length = len(packed.data) if compressed else packed.length
    sent = {**headers, "Content-Length": str(length), **({"Content-Encoding": "gzip"} if compressed else {})}
    pieces = packed.compressed_pieces() if compressed else packed.pieces()
    return StreamingResponse(_in_turn(pieces), status_code, headers=sent, media_type=media_type)


class LargeResults:
    """Lets one request at a time read and write a large result, and keeps the body that was packed last.

    A decoded result takes many times its size. Those who wait for their turn often want the same body.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._last: tuple[str, Packed] | None = None

    async def packed(self, key: str, parts: Callable[[], Awaitable[Iterable[str | bytes]]]) -> Packed:
        """The body that has this key, made of the parts if it is not the last one."""
        async with self.turn:
            if self._last is None or self._last[0] != key:
                self._last = None
                self._last = (key, await asyncio.to_thread(pack, await parts()))
            return self._last[1]


async def _in_turn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Not by Starlette's threads: a piece is made in a tenth of a millisecond.
    for piece in pieces:
        yield piece
