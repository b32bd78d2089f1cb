"""What the benchmarks of the execution path measure: plain values, written to JSON as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Median processor time and wall time of one run."""

    processor_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The service's way from text to counts against Aer alone on the parsed circuit."""

    program: str
    rounds: int
    service: Cost
    aer: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsFigures:
    """A Bell circuit's way from text to counts; `others` is the share of the machine others had."""

    rows: Sequence[Comparison]
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteEntry:
    """One circuit of the suite: `first` with nothing remembered, `again` when the same text comes again.

    `distance` is the largest total variation distance between the counts of both, `bound` what it may be.
    """

    family: str
    qubits: int
    gates: int
    front_end: str
    method: str
    rounds: int
    aer: Cost
    first: Cost
    again: Cost
    distance: float
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFigures:
    """All circuits of the suite; `others` is the share of the machine others had."""

    entries: Sequence[SuiteEntry]
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """What a task costs where `size` is as large as this, beside Aer alone and the computed limit.

    `parts` are the shares of the time that each part of the way takes under a profiler.
    """

    size: int
    service_ms: float
    aer_ms: float
    limit_ms: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """How the cost of a task grows with one size, all others kept; `limit` says how that is computed."""

    size: str
    program: str
    limit: str
    points: Sequence[CostPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigures:
    """A curve for each size; `others` is the share of the machine others had."""

    curves: Sequence[CostCurve]
    others: float


def mean_ratio(costs: Sequence[Cost], aer: Sequence[Cost]) -> float:
    """The geometric mean of ratios of processor time."""
    return geometric_mean([one.processor_ms / other.processor_ms for one, other in zip(costs, aer, strict=True)])
