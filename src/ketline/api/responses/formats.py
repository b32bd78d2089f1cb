"""Encodes counts and shots as JSON, CSV or NumPy arrays, for the routes of results and the downloads of pages.

Source: NumPy's format version 1.0, numpy.lib.format. This module implements it because importing NumPy would double
the start time and the memory of an API process.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from struct import pack

from ketline.domain.results.outcomes import bits_of

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
MEDIA_TYPES = (JSON, CSV, NPY)

_ALIGNMENT = 64


def write_counts(points: Sequence[Mapping[str, int]], media_type: str, *, swept: bool) -> bytes:
    """Encode counts by outcome, for all points of a sweep (`swept`) or for a single point.

    In NumPy's format: an array of records (outcome, count) of dtype S and int64; for a sweep with the point as int64
    before them.
    """
    if media_type == JSON:
        return _json(points if swept else points[0])
    rows = [(number, key, count) for number, counts in enumerate(points) for key, count in counts.items()]
    if media_type == CSV:
        return _csv("outcome,count", ((number, f"{key},{count}") for number, key, count in rows), swept=swept)
    width = max((len(key) for _, key, _ in rows), default=1)
    point = "('point', '<i8'), " if swept else ""
    data = b"".join(
        (pack("<q", number) if swept else b"") + key.encode().ljust(width, b"\0") + pack("<q", count)
        for number, key, count in rows
    )
    return write_npy(f"[{point}('outcome', '|S{width}'), ('count', '<i8')]", (len(rows),), data)


def write_shots(points: Sequence[Sequence[str]], media_type: str, *, as_bits: bool, swept: bool) -> bytes:
    """Encode the outcomes of all shots in order, for all points of a sweep (`swept`) or for a single point.

    In NumPy's format: an array of dtype S and shape (shots,) or, with `as_bits`, of uint8 and shape (shots, bits), in
    which column k is bit k, counted from the right of the key. For a sweep the first axis is the point.
    """
    if media_type == JSON:
        return _json(points if swept else points[0])
    if media_type == CSV:
        return _csv("outcome", ((number, shot) for number, of in enumerate(points) for shot in of), swept=swept)
    shots = [shot for of in points for shot in of]
    shape = (len(points), len(points[0])) if swept else (len(shots),)
    if as_bits:
        return write_npy("'|u1'", (*shape, len(shots[0].replace(" ", "")) if shots else 0), bits_of(shots))
    width = max(map(len, shots), default=1)
    return write_npy(f"'|S{width}'", shape, b"".join(shot.encode().ljust(width, b"\0") for shot in shots))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _csv(columns: str, rows: Iterable[tuple[int, str]], *, swept: bool) -> bytes:
    """Encode rows, each given as its point and the rest of its line."""
    if swept:
        return "".join([f"point,{columns}\r\n", *(f"{number},{rest}\r\n" for number, rest in rows)]).encode()
    return "".join([f"{columns}\r\n", *(f"{rest}\r\n" for _, rest in rows)]).encode()


def write_npy(descr: str, shape: tuple[int, ...], data: bytes) -> bytes:
    """Encode the bytes of an array, in the order of rows; `descr` is its type as Python text."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    magic = b"\x93NUMPY\x01\x00"
    padding = -(len(magic) + 2 + len(header) + 1) % _ALIGNMENT
    text = header.encode("latin-1") + b" " * padding + b"\n"
    return magic + pack("<H", len(text)) + text + data
