"""Counts as bars: the most frequent outcomes, and the rest in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ketline.domain.outcomes import Counts, most_frequent

SHOWN = 32
# A label takes a third of a phone's width.
LONGEST_LABEL = 14


class BarOrder(StrEnum):
    """By count, the largest first, or by the bits of the outcome, read as a number."""

    VALUE = "value"
    BITSTRING = "bitstring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An outcome; `share` is its count relative to all shots, `length` to that of the most frequent outcome."""

    outcome: str
    count: int
    share: float
    length: float

    @property
    def label(self) -> str:
        """The outcome, its middle left out where it is long."""
        if len(self.outcome) <= LONGEST_LABEL:
            return self.outcome
        half = LONGEST_LABEL // 2
        return f"{self.outcome[:half]}…{self.outcome[-half + 1 :]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Up to `SHOWN` outcomes; `other` sums up the `other_outcomes` that are not among them, and has no bar."""

    order: BarOrder
    shots: int
    outcomes: int
    bars: Sequence[Bar]
    other: Bar | None
    other_outcomes: int

    @property
    def label_width(self) -> float:
        """What the labels need of the width, in percent, where a phone shows it."""
        longest = max((len(bar.label) for bar in self.rows), default=0)
        return min(36.0, 3.0 + 2.6 * longest)

    @property
    def rows(self) -> Sequence[Bar]:
        return [*self.bars, self.other] if self.other else self.bars


def histogram(counts: Counts, order: BarOrder) -> Histogram:
    """The bars of a task's counts. With as many different outcomes as there are, it is the work of one sort."""
    shots = sum(counts.values())
    top = most_frequent(counts, SHOWN)
    rest = shots - sum(top.values())
    largest = max(top.values(), default=1)
    shown = sorted(top.items()) if order is BarOrder.BITSTRING else list(top.items())
    left_out = len(counts) - len(top)
    return Histogram(
        order=order,
        shots=shots,
        outcomes=len(counts),
        bars=[_bar(outcome, count, shots, largest) for outcome, count in shown],
        other=_bar(f"{left_out:,} others", rest, shots, largest) if left_out else None,
        other_outcomes=left_out,
    )


def _bar(outcome: str, count: int, shots: int, largest: int) -> Bar:
    return Bar(outcome=outcome, count=count, share=count / shots if shots else 0.0, length=count / largest)
