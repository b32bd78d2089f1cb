"""Counts without readout errors, for the page of a task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ketline.web.histogram import Bar, BarOrder, Histogram, probability_histogram


@dataclass(frozen=True, slots=True)
class CorrectedCounts:
    """The histogram of the corrected probabilities, and by how much the variance of a mean value grows at most."""

    histogram: Histogram
    overhead: float
    quasi_probabilities: Mapping[str, float]

    @property
    def rows(self) -> Iterator[tuple[Bar, float]]:
        """Each row of the histogram with its quasi-probability, that of the other outcomes as their sum."""
        shown = {bar.outcome for bar in self.histogram.bars}
        others = sum(value for outcome, value in self.quasi_probabilities.items() if outcome not in shown)
        for bar in self.histogram.rows:
            yield bar, self.quasi_probabilities.get(bar.outcome, others)


def corrected_counts(correction: Mapping[str, object], order: BarOrder) -> CorrectedCounts:
    """What a result has as `mitigation.readout` of a task, or of a point of a sweep."""
    match correction:
        case {"probabilities": Mapping() as nearest, "quasi_probabilities": Mapping() as quasi, "overhead": overhead}:
            assert isinstance(overhead, (int, float))
            return CorrectedCounts(probability_histogram(nearest, order), overhead, quasi)
    raise ValueError("a correction of other parts")
