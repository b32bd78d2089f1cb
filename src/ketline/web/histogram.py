"""Histograms of counts, or of probabilities: a bar for each of the most frequent outcomes, and the sum of the others.

The page of a task shows them, and its downloads as SVG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ketline.domain.results.outcomes import Counts

# How many outcomes have a bar.
SHOWN = 32
# Longest label in characters: a third of the width of a phone.
MAX_LABEL_CHARACTERS = 14


class BarOrder(StrEnum):
    """The order of the bars: by count, largest first, or by bitstring."""

    VALUE = "value"
    BITSTRING = "bitstring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One outcome; `share` is its count divided by all shots, `length` by the count of the most frequent outcome.

    In a histogram of probabilities its count is its probability.
    """

    outcome: str
    count: float
    share: float
    length: float

    @property
    def value(self) -> str:
        """The count or the probability as text."""
        return f"{self.count:,}" if isinstance(self.count, int) else f"{self.count:.4f}"

    @property
    def label(self) -> str:
        """The outcome; of a long one the middle is left out."""
        if len(self.outcome) <= MAX_LABEL_CHARACTERS:
            return self.outcome
        half = MAX_LABEL_CHARACTERS // 2
        return f"{self.outcome[:half]}…{self.outcome[-half + 1 :]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Bars of up to `SHOWN` outcomes; `other` is the sum of the `other_outcomes` without a bar.

    `shots` is None in a histogram of probabilities.
    """

    order: BarOrder
    shots: int | None
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
    return _histogram(counts, shots, order, shots)


def probability_histogram(probabilities: Mapping[str, float], order: BarOrder) -> Histogram:
    """Build the histogram of outcomes with these probabilities, which add up to 1."""
    return _histogram(probabilities, 1.0, order, None)


def _histogram(counts: Mapping[str, float], total: float, order: BarOrder, shots: int | None) -> Histogram:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    top = dict(ranked[:SHOWN])
    rest = sum(count for _, count in ranked[SHOWN:])
    largest = max(top.values(), default=1)
    shown = sorted(top.items()) if order is BarOrder.BITSTRING else list(top.items())
    left_out = len(counts) - len(top)
    return Histogram(
        order=order,
        shots=shots,
        outcomes=len(counts),
        bars=[_bar(outcome, count, total, largest) for outcome, count in shown],
        other=_bar(f"{left_out:,} others", rest, total, largest) if left_out else None,
        other_outcomes=left_out,
    )


def _bar(outcome: str, count: float, total: float, largest: float) -> Bar:
    return Bar(outcome=outcome, count=count, share=count / total if total else 0.0, length=count / largest)
