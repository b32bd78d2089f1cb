"""Responses to reads of results and drawings: content negotiation, entity tags, compression and byte ranges.

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

MIN_COMPRESSED_BYTES = 1024
# Larger bodies are compressed in a thread, so that the event loop stays responsive.
MAX_COMPRESSED_INLINE_BYTES = 16 * 1024
# Larger bodies are kept compressed in memory while the client reads them.
MIN_PACKED_BYTES = 1024 * 1024
_COMPRESSION_LEVEL = 5

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def negotiated(request: Request, offered: Sequence[str]) -> str:
    """The offered media type with the highest quality in `Accept`; of equal ones the first.

    Raises:
        HTTPProblem: the client accepts none of them.
    """
    accepted = list(_qualities(",".join(request.headers.getlist("accept")) or "*/*"))
    qualities = {media_type: _quality(media_type, accepted) for media_type in offered}
    best = max(offered, key=lambda media_type: qualities[media_type])
    if not qualities[best]:
        raise HTTPProblem(
            "not_acceptable", f"The Accept header has none of the available media types: {', '.join(offered)}."
        )
    return best


async def represented(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The response with this body or the requested range of it, or a 304 if the client has the body already.

    Raises:
        HTTPProblem: the requested range does not exist.
    """
    if len(body) >= MIN_PACKED_BYTES:
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
    """The same as `represented`, for a large compressed body.

    Raises:
        HTTPProblem: the requested range does not exist.
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
    """The response to send: the whole body, compressed or not (200), a part of it (206), or no body (304)."""

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
    elif length >= MIN_COMPRESSED_BYTES and takes_gzip(request):
        # A strong tag must differ for the compressed body; `_matches` ignores the suffix.
        sent["ETag"] = f'{tag[:-1]}-gzip"'
        return _Chosen(200, sent, compressed=True)
    return _Chosen(200, sent)


def _qualities(text: str) -> Iterator[tuple[str, float]]:
    for entry in text.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        found = next((match for match in map(_QUALITY.fullmatch, parameters) if match), None)
        yield name, float(found[1]) if found else 1.0


def _quality(media_type: str, accepted: Sequence[tuple[str, float]]) -> float:
    """The quality of a media type: that of the most specific entry which matches it."""
    for name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        for media_range, quality in accepted:
            if media_range == name:
                return quality
    return 0.0


def _matches(condition: str, tag: str) -> bool:
    known = {entry.strip().removeprefix("W/").replace('-gzip"', '"') for entry in condition.split(",")}
    return tag in known or "*" in known


def takes_gzip(request: Request) -> bool:
    """Whether the client accepts gzip."""
    accepted = dict(_qualities(",".join(request.headers.getlist("accept-encoding"))))
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0


def _part(wanted: str, length: int) -> range | None:
    """The requested range of bytes; None if the header is to be ignored and the whole body sent."""
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
    if len(body) <= MAX_COMPRESSED_INLINE_BYTES:
        return gzip.compress(body, _COMPRESSION_LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _COMPRESSION_LEVEL, mtime=0)
