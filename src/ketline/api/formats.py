"""Write counts and shots as JSON, CSV or NumPy arrays.

Source: NumPy's format version 1.0, numpy.lib.format. It is written here because importing NumPy would double what an
API process takes to start and to hold.
"""

import json
from collections.abc import Mapping, Sequence
from struct import pack

from ketline.domain.outcomes import bits_of

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
MEDIA_TYPES = (JSON, CSV, NPY)

_ALIGNMENT = 64


def write_counts(counts: Mapping[str, int], media_type: str) -> bytes:
    """Counts by outcome; in NumPy's format an array of pairs (outcome, count), of dtype S and int64."""
    if media_type == CSV:
        return "".join(["outcome,count\r\n", *(f"{key},{count}\r\n" for key, count in counts.items())]).encode()
    if media_type == NPY:
        width = max(map(len, counts), default=1)
        descr = f"[('outcome', '|S{width}'), ('count', '<i8')]"
        rows = (key.encode().ljust(width, b"\0") + pack("<q", count) for key, count in counts.items())
        return _npy(descr, (len(counts),), b"".join(rows))
    return json.dumps(counts, separators=(",", ":")).encode()


def write_shots(shots: Sequence[str], media_type: str, *, as_bits: bool) -> bytes:
    """Every shot's outcome in order; in NumPy's format an array of dtype S, or of bits if `as_bits`.

    Bits are uint8 of shape (shots, bits), column k being bit k, the one that stands k places from the right.
    """
    if media_type == CSV:
        return "".join(["outcome\r\n", *(f"{shot}\r\n" for shot in shots)]).encode()
    if media_type == NPY and as_bits:
        return _npy("'|u1'", (len(shots), len(shots[0].replace(" ", "")) if shots else 0), bits_of(shots))
    if media_type == NPY:
        width = max(map(len, shots), default=1)
        return _npy(f"'|S{width}'", (len(shots),), b"".join(shot.encode().ljust(width, b"\0") for shot in shots))
    return json.dumps(shots, separators=(",", ":")).encode()


def _npy(descr: str, shape: tuple[int, ...], data: bytes) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    magic = b"\x93NUMPY\x01\x00"
    padding = -(len(magic) + 2 + len(header) + 1) % _ALIGNMENT
    text = header.encode("latin-1") + b" " * padding + b"\n"
    return magic + pack("<H", len(text)) + text + data
