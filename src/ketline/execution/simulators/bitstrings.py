"""Writes outcomes as the keys of counts, in Qiskit's format. Used by every simulation method."""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

# Counts by key in the order of the keys, and each shot's key in order if requested.
Counted = tuple[dict[str, int], Sequence[str] | None]

_BITS_OF_A_WORD = 64
_ZERO, _SPACE = ord("0"), ord(" ")
# From this number of outcomes on, arrays are faster than Python integers; measured.
MANY_OUTCOMES = 32


class KeyFormat:
    """Writes an outcome, bit n for the n-th declared bit, as a key.

    The bits of each group are adjacent, bit 0 rightmost, with a space between groups, the last declared first. With
    `shown`, the key is that of the outcome into which this function converts the measured one.
    """

    def __init__(self, groups: Sequence[int], shown: Callable[[int], int] | None = None) -> None:
        self._shown = shown
        self._width = sum(groups)
        self._binary = f"0{self._width}b"
        # Where the groups begin, the first declared last.
        self._starts = list(accumulate(reversed(groups), initial=0))[:-1]

    def __call__(self, outcome: int) -> str:
        bits = format(outcome if self._shown is None else self._shown(outcome), self._binary)
        if len(self._starts) <= 1:
            return bits
        return " ".join([bits[start:end] for start, end in zip(self._starts, [*self._starts[1:], None], strict=True)])

    def keys(self, outcomes: Any) -> list[str]:
        """The key of each outcome of an array, of unsigned or non-negative numbers or of Python's."""
        words_do = self._shown is None and self._width <= _BITS_OF_A_WORD and outcomes.dtype != object
        if len(outcomes) < MANY_OUTCOMES or not words_do:
            return list(map(self, outcomes.tolist()))
        words = outcomes.astype(">u8").view(np.uint8).reshape(len(outcomes), -1)
        characters = np.unpackbits(words, axis=1)[:, _BITS_OF_A_WORD - self._width :] | _ZERO
        if len(self._starts) > 1:
            characters = np.insert(characters, self._starts[1:], _SPACE, axis=1)
        text, width = characters.tobytes().decode("ascii"), characters.shape[1]
        return [text[start : start + width] for start in range(0, len(text), width)]


def counts_of(shown: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts in the order of their keys; counts of outcomes with the same key are summed.

    `get_counts` would merge outcomes that differ only in single bits when registers exist as well.
    """
    entries = sorted(shown)
    counts = dict(entries)
    if len(counts) < len(entries):
        counts = dict.fromkeys(counts, 0)
        for key, count in entries:
            counts[key] += count
    return counts
