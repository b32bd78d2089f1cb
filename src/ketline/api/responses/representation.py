"""Send one representation of something: its media type negotiated, tagged, compressed, or a part of it.

Source: RFC 9110, sections 8.8.3 (ETag), 12.5 (negotiation), 13 (conditions) and 14 (ranges).
"""

import asyncio
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from fastapi import Request, Response

from ketline.api.responses.compression import Packed, pack, unpacked_response
from ketline.api.responses.errors import HTTPProblem

LEAST_COMPRESSED_BYTES = 1024
# What is larger is compressed in a thread: the event loop stays free.
MOST_COMPRESSED_AT_ONCE_BYTES = 16 * 1024
# What is larger does not wait in memory as it is while the client reads.
LEAST_PACKED_BYTES = 1024 * 1024
_COMPRESSION = 5

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def negotiated(request: Request, offered: Sequence[str]) -> str:
    """The media type that the client likes best of those offered; of equally liked ones the first.

    Raises:
        Refusal: it takes none of them.
    """
    accepted = list(_qualities(",".join(request.headers.getlist("accept")) or "*/*"))
    liked = {media_type: _quality(media_type, accepted) for media_type in offered}
    best = max(offered, key=lambda media_type: liked[media_type])
    if not liked[best]:
        raise HTTPProblem("not_acceptable", f"This is there as {', '.join(offered)}.")
    return best


async def represented(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of this body, or of what the client still needs of it.

    Raises:
        Refusal: the range it asks for is not there.
    """
    if len(body) >= LEAST_PACKED_BYTES:
        return await represented_packed(request, await asyncio.to_thread(pack, [body], headers), media_type)
    chosen = _choose(request, sha256(body).hexdigest(), len(body), headers or {})
    if chosen.status_code == 304:
        return Response(status_code=304, headers=chosen.headers)
    if chosen.part is not None:
        body = body[chosen.part.start : chosen.part.stop]
    if chosen.compressed:
        body = await _compressed(body)
        chosen.headers["Content-Encoding"] = "gzip"
    return Response(body, chosen.status_code, headers=chosen.headers, media_type=media_type)


async def represented_packed(request: Request, packed: Packed, media_type: str) -> Response:
    """As `represented`, of a large body that is packed.

    Raises:
        Refusal: the range it asks for is not there.
    """
    chosen = _choose(request, packed.digest, packed.length, packed.headers)
    if chosen.status_code == 304:
        return Response(status_code=304, headers=chosen.headers)
    if chosen.part is not None:
        packed = await asyncio.to_thread(pack, packed.part(chosen.part))
    return unpacked_response(
        packed, media_type, chosen.headers, compressed=chosen.compressed, status_code=chosen.status_code
    )


class _Chosen(NamedTuple):
    """What of a representation is sent: all of it, compressed or not, a part of it (206), or nothing (304)."""

    status_code: int
    headers: dict[str, str]
    part: range | None = None
    compressed: bool = False


def _choose(request: Request, digest: str, length: int, headers: Mapping[str, str]) -> _Chosen:
    tag = f'"{digest[:32]}"'
    sent = {"ETag": tag, "Vary": "Accept, Accept-Encoding", "Cache-Control": "private, no-cache", **headers}
    if _matches(request.headers.get("if-none-match", ""), tag):
        return _Chosen(304, sent)
    sent["Accept-Ranges"] = "bytes"
    wanted = request.headers.get("range")
    if wanted is not None and request.headers.get("if-range", tag) == tag:
        if (part := _part(wanted, length)) is not None:
            sent["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{length}"
            return _Chosen(206, sent, part)
    elif length >= LEAST_COMPRESSED_BYTES and takes_gzip(request):
        # Another representation has another strong tag; the condition above knows it all the same.
        sent["ETag"] = f'{tag[:-1]}-gzip"'
        return _Chosen(200, sent, compressed=True)
    return _Chosen(200, sent)


def _qualities(text: str) -> Iterator[tuple[str, float]]:
    for entry in text.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        found = next((match for match in map(_QUALITY.fullmatch, parameters) if match), None)
        yield name, float(found[1]) if found else 1.0


def _quality(media_type: str, accepted: Sequence[tuple[str, float]]) -> float:
    """How much a media type is liked: what names it most precisely counts."""
    for name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        for range_, quality in accepted:
            if range_ == name:
                return quality
    return 0.0


def _matches(condition: str, tag: str) -> bool:
    known = {entry.strip().removeprefix("W/").replace('-gzip"', '"') for entry in condition.split(",")}
    return tag in known or "*" in known


def takes_gzip(request: Request) -> bool:
    accepted = dict(_qualities(",".join(request.headers.getlist("accept-encoding"))))
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0


def _part(wanted: str, length: int) -> range | None:
    """The bytes asked for, or None for a request that is answered whole."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, length - int(last)), length
    else:
        start, stop = int(first), min(length, int(last) + 1) if last else length
        if last and int(last) < int(first):
            return None
    if start >= stop:
        raise HTTPProblem("range_not_satisfiable", headers={"Content-Range": f"bytes */{length}"})
    return range(start, stop)


async def _compressed(body: bytes) -> bytes:
    if len(body) <= MOST_COMPRESSED_AT_ONCE_BYTES:
        return gzip.compress(body, _COMPRESSION, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _COMPRESSION, mtime=0)
