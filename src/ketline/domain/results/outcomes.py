"""Views of counts and shots: one register, the most frequent outcomes, or another format of bitstrings.

The API's counts and shots and the pages' histogram use them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

Counts = Mapping[str, int]
# Converts a bitstring to what the view shows of it.
View = Callable[[str], str]


class KeyFormat(StrEnum):
    """The format in which outcomes are written."""

    BINARY = "binary"
    HEX = "hex"


def register_count(key: str) -> int:
    """The number of registers, as groups of bits, in a bitstring."""
    return key.count(" ") + 1


def register_view(number: int) -> View:
    """The view of one register, by its number in the order of declaration: 0 is the rightmost group of bits."""
    return lambda key: key.split(" ")[-1 - number]


def format_view(key_format: KeyFormat) -> View:
    """The view that writes a bitstring in this format; in hex it is one number, bit 0 lowest, without padding."""
    if key_format is KeyFormat.BINARY:
        return str
    return lambda key: hex(int(key.replace(" ", ""), 2))


def merged(counts: Counts, view: View) -> Counts:
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
