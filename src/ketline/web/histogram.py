"""Histograms of counts: a bar for each of the most frequent outcomes, and the sum of the others.

The page of a task shows them, and its downloads as SVG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ketline.domain.outcomes import Counts, most_frequent

# How many outcomes have a bar.
SHOWN = 32
# Longest label in characters: a third of the width of a phone.
LONGEST_LABEL = 14


class BarOrder(StrEnum):
    """The order of the bars: by count, largest first, or by bitstring."""

    VALUE = "value"
    BITSTRING = "bitstring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One outcome; `share` is its count divided by all shots, `length` by the count of the most frequent outcome."""

    outcome: str
    count: int
    share: float
    length: float

    @property
    def label(self) -> str:
        """The outcome; of a long one the middle is left out."""
        if len(self.outcome) <= LONGEST_LABEL:
            return self.outcome
        half = LONGEST_LABEL // 2
        return f"{self.outcome[:half]}…{self.outcome[-half + 1 :]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Bars of up to `SHOWN` outcomes; `other` is the sum of the `other_outcomes` without a bar."""

    order: BarOrder
    shots: int
    outcomes: int
    bars: Sequence[Bar]
    other: Bar | None
    other_outcomes: int

    @property
    def label_width(self) -> float:
        """The width of the labels in percent of the chart, on a phone."""
        longest = max((len(bar.label) for bar in self.rows), default=0)
        return min(36.0, 3.0 + 2.6 * longest)

    @property
    def rows(self) -> Sequence[Bar]:
        return [*self.bars, self.other] if self.other else self.bars


def histogram(counts: Counts, order: BarOrder) -> Histogram:
    """Build the histogram of a task's counts."""
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
