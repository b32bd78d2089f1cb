"""Sections of the page about the execution path."""

from pathlib import Path

import pytest

from benchmarks.execution.figures import (
    Comparison,
    Cost,
    CostCurve,
    CostFigures,
    CostPoint,
    CountsFigures,
    SuiteEntry,
    SuiteFigures,
    mean_ratio,
)
from benchmarks.execution.report import cost_section, counts_section, suite_section, write_plots

PARTS = {"reading": 0.5, "state": 0.25, "sampling": 0.125, "encoding": 0.0625, "rest": 0.0625}


def cost(milliseconds: float) -> Cost:
    return Cost(processor_ms=milliseconds, wall_ms=2 * milliseconds)


def entry(first: float, again: float) -> SuiteEntry:
    return SuiteEntry(
        family="GHZ",
        qubits=10,
        gates=1000,
        front_end="scanner",
        method="stim",
        rounds=5,
        aer=cost(8),
        first=cost(first),
        again=cost(again),
        distance=0.01,
        bound=0.1,
    )


def test_mean_of_ratios_is_geometric() -> None:
    assert mean_ratio([cost(2), cost(16)], [cost(8), cost(4)]) == pytest.approx(1)


def test_counts_have_both_ratios() -> None:
    row = Comparison(program="it comes again", rounds=3, service=cost(1), aer=Cost(processor_ms=4, wall_ms=4))
    section = counts_section(CountsFigures(rows=[row], others=0.5))
    assert "| it comes again | 1.000 | 4.000 | 0.250 | 2.000 | 4.000 | 0.500 |" in section


def test_suite_tells_what_is_slower_than_aer() -> None:
    section = suite_section(SuiteFigures(entries=[entry(2, 1), entry(16, 4)], others=0.0))
    assert "| GHZ | 10 | 1,000 | scanner | stim | 8.00 | 2.00 | 0.250 | 1.00 | 0.125 | 0.010 | 0.100 |" in section
    assert "0.707 with nothing remembered, 0.250 when" in section
    assert "nothing remembered: 1 of 2." in section


def test_cost_has_its_limit_and_a_plot(tmp_path: Path) -> None:
    points = [CostPoint(size=size, service_ms=size, aer_ms=2 * size, limit_ms=0.5, parts=PARTS) for size in (1, 1000)]
    curve = CostCurve(size="result keys", program="h on each qubit", limit="writing them", points=points)
    figures = CostFigures(curves=[curve], others=0.0)
    assert "| 1,000 | 1000.00 | 2000.00 | 0.500 | 0.5 | 50% | 25% | 12% | 6% | 6% |" in cost_section(figures)
    (file,) = write_plots(figures, tmp_path / "plots")
    assert file.name == "cost-result-keys.svg"
    assert file.read_text().startswith("<svg")
