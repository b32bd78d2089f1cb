"""Writes outcomes as the keys of counts, in Qiskit's format."""

from collections.abc import Callable, Iterable, Sequence


def key_format(groups: Sequence[int]) -> Callable[[int], str]:
    """Writes an outcome, bit n for the n-th declared bit, as a key.

    The bits of each group stand together, bit 0 rightmost, with a space between groups, the last declared first.
    """
    width = sum(groups)
    binary = f"0{width}b"
    if len(groups) == 1:
        return lambda outcome: format(outcome, binary)
    cuts = []
    end = width
    for group in groups:
        cuts.append(slice(end - group, end))
        end -= group
    cuts.reverse()

    def key(outcome: int) -> str:
        bits = format(outcome, binary)
        return " ".join(bits[cut] for cut in cuts)

    return key


def counts_of(shown: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts in the order of their keys; those of outcomes that show the same key are added up.

    `get_counts` would merge outcomes that differ only in single bits when registers exist as well.
    """
    entries = sorted(shown)
    counts = dict(entries)
    if len(counts) < len(entries):
        counts = dict.fromkeys(counts, 0)
        for key, count in entries:
            counts[key] += count
    return counts
