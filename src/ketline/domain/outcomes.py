"""Views of counts and shots: one register, the most frequent outcomes, or another format of bitstrings."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

Counts = Mapping[str, int]


class KeyFormat(StrEnum):
    """The format in which outcomes are written."""

    BINARY = "binary"
    HEX = "hex"


def registers_of(key: str) -> int:
    """The number of groups of bits in a bitstring."""
    return key.count(" ") + 1


def register_view(number: int) -> Callable[[str], str]:
    """A function that extracts a group of a bitstring by its number in the order of declaration: 0 is the rightmost."""
    return lambda key: key.split(" ")[-1 - number]


def formatted(key_format: KeyFormat) -> Callable[[str], str]:
    """A function that writes a bitstring in this format; in hex it is one number, bit 0 lowest, without padding."""
    if key_format is KeyFormat.BINARY:
        return str
    return lambda key: hex(int(key.replace(" ", ""), 2))


def merged(counts: Counts, view: Callable[[str], str]) -> Counts:
    """Apply a view to the bitstrings of counts; counts of equal results are added, in the order of bitstrings."""
    found: Counter[str] = Counter()
    for key, count in counts.items():
        found[view(key)] += count
    return dict(sorted(found.items()))


def most_frequent(counts: Counts, top: int) -> Counts:
    """The `top` largest counts, largest first, equal ones in the order of bitstrings."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:top])


def bits_of(shots: Sequence[str]) -> bytes:
    """One byte, 0 or 1, for each bit of each shot: shot after shot, bit 0 first."""
    return b"".join(shot.replace(" ", "")[::-1].encode() for shot in shots).translate(_DIGITS)


_DIGITS = bytes.maketrans(b"01", b"\x00\x01")
