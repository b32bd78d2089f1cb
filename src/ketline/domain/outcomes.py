"""Views of counts and shots: one register only, the most frequent outcomes only, or another key format."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

Counts = Mapping[str, int]


class KeyFormat(StrEnum):
    """How an outcome is written."""

    BINARY = "binary"
    HEX = "hex"


def registers_of(key: str) -> int:
    """How many groups of bits a key shows."""
    return key.count(" ") + 1


def register_view(number: int) -> Callable[[str], str]:
    """Takes from a key the group with this number, counted in the order of declaration: 0 is the rightmost."""
    return lambda key: key.split(" ")[-1 - number]


def formatted(key_format: KeyFormat) -> Callable[[str], str]:
    """Writes a key of bits in this format; in hex it is one number, bit 0 lowest, without padding."""
    if key_format is KeyFormat.BINARY:
        return str
    return lambda key: hex(int(key.replace(" ", ""), 2))


def merged(counts: Counts, view: Callable[[str], str]) -> Counts:
    """Counts by what the view makes of the keys; those that become the same are added up, in the order of keys."""
    found: Counter[str] = Counter()
    for key, count in counts.items():
        found[view(key)] += count
    return dict(sorted(found.items()))


def most_frequent(counts: Counts, top: int) -> Counts:
    """The `top` largest, the largest first, equal ones by key."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:top])


def bits_of(shots: Sequence[str]) -> bytes:
    """One byte, 0 or 1, for each bit of each shot: shot after shot, bit 0 first."""
    return b"".join(shot.replace(" ", "")[::-1].encode() for shot in shots).translate(_DIGITS)


_DIGITS = bytes.maketrans(b"01", b"\x00\x01")
