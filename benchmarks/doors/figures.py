"""What the part "doors" measures: plain values, written to JSON as they are."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Median wall time of some work, and the median processor time of all processes that did it, in seconds."""

    wall_seconds: float
    processor_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorComparison:
    """The same work through one way into the service and through what a user would take instead."""

    door: str
    work: str
    alternative: str
    rounds: int
    ketline: Time
    other: Time

    @property
    def ratio(self) -> float:
        """Ketline's wall time to the other's: below 1, Ketline is faster."""
        return self.ketline.wall_seconds / self.other.wall_seconds

    @property
    def processor_ratio(self) -> float:
        return self.ketline.processor_seconds / self.other.processor_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsFigures:
    """All ways into a service of one mode; `others` is the share of the machine that others had."""

    mode: str
    comparisons: Sequence[DoorComparison]
    others: float
