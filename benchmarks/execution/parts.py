"""The parts of the benchmark that measure the execution path, each in a process of its own.

Nothing here imports Qiskit: the benchmark itself is to stay as light as a load generator should be.
"""

from typing import Any

from benchmarks.execution.children import hear
from benchmarks.execution.figures import (
    Comparison,
    Cost,
    CostCurve,
    CostFigures,
    CostPoint,
    CountsFigures,
    SuiteEntry,
    SuiteFigures,
)

_SECONDS = 1800.0


async def measure_counts(*, rounds: int) -> CountsFigures:
    """A Bell circuit's way from text to counts against Aer alone."""
    found, others = await hear("benchmarks.execution.counts", str(rounds), timeout_seconds=_SECONDS)
    return CountsFigures(rows=[Comparison(**one | _costs(one, "service", "aer")) for one in found], others=others)


async def measure_suite(*, seconds: float) -> SuiteFigures:
    """The circuits of the suite against Aer alone, each for about so many seconds."""
    found, others = await hear("benchmarks.execution.comparing", str(seconds), timeout_seconds=_SECONDS)
    entries = [SuiteEntry(**one | _costs(one, "aer", "first", "again")) for one in found]
    return SuiteFigures(entries=entries, others=others)


async def measure_cost(*, largest: bool) -> CostFigures:
    """How a task's cost grows, up to the largest sizes or to smaller ones."""
    arguments = ("largest",) if largest else ()
    found, others = await hear("benchmarks.execution.growth", *arguments, timeout_seconds=_SECONDS)
    curves = [CostCurve(**one | {"points": [CostPoint(**point) for point in one["points"]]}) for one in found]
    return CostFigures(curves=curves, others=others)


def _costs(found: dict[str, Any], *names: str) -> dict[str, Cost]:
    return {name: Cost(**found[name]) for name in names}
