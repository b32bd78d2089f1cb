"""Metrics: what the service counts and measures about itself, and the page on which a Prometheus server reads it.

Services and adapters are given a `Metrics`; without one they have `NoMetrics`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ketline.domain.operations.measurements import ServiceMeasurement
from ketline.domain.operations.metrics import Counter, Gauge, Histogram, Total

# Values by the values of the labels; `{(): value}` without labels.
Reading = Mapping[tuple[str, ...], float]


class Metrics(Protocol):
    """Counts in memory: every method takes about a microsecond, never blocks and never fails, in any thread."""

    def count(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        """Add to the counter's series with these label values."""
        ...

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Record an observation in the series with these label values."""
        ...

    def on_scrape(self, instrument: Gauge | Total, read: Callable[[], Reading]) -> None:
        """Call `read` at each scrape; of several functions for one instrument the values are added."""
        ...


class NoMetrics:
    """Records nothing; for tests, and for commands that serve no metrics."""

    def count(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        pass

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        pass

    def on_scrape(self, instrument: Gauge | Total, read: Callable[[], Reading]) -> None:
        pass


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """All metrics of a process in the format that a scrape requested."""

    body: bytes
    media_type: str


class Exposition(Protocol):
    """Writes the metrics of this process."""

    def render(self, accept: str | None) -> MetricsPage:
        """Return all metrics in a format that the `Accept` header names, else as Prometheus's text."""
        ...


class ServiceMeasurer(Protocol):
    """Measures the service as a whole."""

    async def measure(self) -> ServiceMeasurement:
        """Read the database, in bounded time however many tasks there are.

        Raises:
            DatabaseUnavailable: the database did not answer, or not in time.
        """
        ...
