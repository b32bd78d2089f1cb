"""The figures of the execution path as sections of the markdown page, and their plots."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.execution.figures import (
    Cost,
    CostCurve,
    CostFigures,
    CostPoint,
    CountsFigures,
    SuiteEntry,
    SuiteFigures,
    mean_ratio,
)
from benchmarks.execution.plot import line_plot
from benchmarks.tables import table

_PARTS = ("reading", "state", "sampling", "encoding", "rest")


def counts_section(figures: CountsFigures) -> str:
    rows = [
        [
            row.program,
            *(f"{cost.processor_ms:.3f}" for cost in (row.service, row.aer)),
            _ratio(row.service.processor_ms, row.aer.processor_ms),
            *(f"{cost.wall_ms:.3f}" for cost in (row.service, row.aer)),
            _ratio(row.service.wall_ms, row.aer.wall_ms),
        ]
        for row in figures.rows
    ]
    rounds = figures.rows[0].rounds
    title = f"Text to counts, Bell, 1,024 shots: medians of {rounds} rounds, ms (others had {figures.others:.0%})"
    heads = ["", "processor, service", "Aer alone", "ratio", "wall, service", "Aer alone", "ratio"]
    return table(title, heads, rows)


def suite_section(figures: SuiteFigures) -> str:
    entries = figures.entries
    aer = [entry.aer for entry in entries]
    first, again = (
        mean_ratio(costs, aer) for costs in ([one.first for one in entries], [one.again for one in entries])
    )
    slower = sum(entry.first.processor_ms > entry.aer.processor_ms for entry in entries)
    summary = (
        f"Geometric mean of the ratios to Aer alone: {first:.3f} with nothing remembered, {again:.3f} when the program "
        f"comes again. Slower than Aer alone with nothing remembered: {slower} of {len(entries)}. All counts are "
        "within the bound."
    )
    title = f"Suite, text to counts, 1,024 shots: medians of processor time, ms (others had {figures.others:.0%})"
    heads = ["circuit", "qubits", "gates", "read by", "method", "Aer alone", "first", "ratio", "again", "ratio"]
    heads += ["distance", "bound"]
    return table(title, heads, [_suite_row(entry) for entry in entries]) + f"\n\n{summary}"


def _suite_row(entry: SuiteEntry) -> list[str]:
    return [
        entry.family,
        str(entry.qubits),
        f"{entry.gates:,}",
        entry.front_end,
        entry.method,
        f"{entry.aer.processor_ms:.2f}",
        *_against(entry.first, entry.aer),
        *_against(entry.again, entry.aer),
        f"{entry.distance:.3f}",
        f"{entry.bound:.3f}",
    ]


def _against(cost: Cost, aer: Cost) -> tuple[str, str]:
    return f"{cost.processor_ms:.2f}", _ratio(cost.processor_ms, aer.processor_ms)


def cost_section(figures: CostFigures) -> str:
    return "\n\n".join(_curve(curve, figures.others) for curve in figures.curves)


def _curve(curve: CostCurve, others: float) -> str:
    title = f"Cost by {curve.size}: {curve.program}; processor time, ms (others had {others:.0%})"
    heads = [curve.size, "service", "Aer alone", "ratio", "limit", *_PARTS]
    note = f"Limit: {curve.limit}."
    return table(title, heads, [_cost_row(point) for point in curve.points]) + f"\n\n{note}"


def _cost_row(point: CostPoint) -> list[str]:
    return [
        f"{point.size:,}",
        f"{point.service_ms:.2f}",
        f"{point.aer_ms:.2f}",
        _ratio(point.service_ms, point.aer_ms),
        f"{point.limit_ms:.3g}",
        *(f"{point.parts[part]:.0%}" for part in _PARTS),
    ]


def write_plots(figures: CostFigures, directory: Path) -> Sequence[Path]:
    """A drawing of each curve, `cost-shots.svg` and so on."""
    directory.mkdir(parents=True, exist_ok=True)
    return [_write_plot(curve, directory) for curve in figures.curves]


def _write_plot(curve: CostCurve, directory: Path) -> Path:
    lines = {
        "service, text to counts": [(point.size, point.service_ms) for point in curve.points],
        "Aer alone": [(point.size, point.aer_ms) for point in curve.points],
        "limit": [(point.size, point.limit_ms) for point in curve.points],
    }
    file = directory / f"cost-{curve.size.replace(' ', '-')}.svg"
    file.write_text(line_plot(curve.program, curve.size, "ms of processor time", lines), encoding="utf-8")
    return file


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.3f}"
