"""Output of tasks."""

from dataclasses import replace
from io import StringIO
from uuid import UUID

import pytest
from rich.console import Console

from ketline.cli.show import outcome_line, show_counts, show_warnings
from ketline.client import Result
from ketline.client.decoding import read_task

TASK_ID = UUID("109d6b6d-5fe8-4a87-be4c-b22abc0dbd5f")
LONG = [f"{'0' * 100}{end}" for end in ("01", "10")]
RESULT = Result(task_id=TASK_ID, points=[{LONG[0]: 3, LONG[1]: 1}], shots=4)


def test_a_missing_task_was_deleted_or_never_submitted() -> None:
    assert outcome_line("id", None) == "id: not found: it was never submitted, or has been deleted"


def test_outcomes_off_a_terminal_are_neither_truncated_nor_folded() -> None:
    written = StringIO()
    show_counts(Console(file=written, width=40, highlight=False), RESULT)
    rows = [line.split()[:3] for line in written.getvalue().splitlines()]
    assert rows[1:] == [[LONG[0], "3", "75.0%"], [LONG[1], "1", "25.0%"]]


def test_warnings_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    task = read_task(
        {
            "task_id": str(TASK_ID),
            "status": "completed",
            "submitted_at": "2026-01-02T03:04:05.678901Z",
            "shots": 4,
            "correlation_id": "c",
            "profile": {
                "method": "statevector",
                "qubits": 1,
                "depth": 1,
                "operations": {},
                "queued_seconds": 0,
                "parsing_seconds": 0,
                "simulating_seconds": 0,
                "warnings": [{"code": "pragma_ignored", "message": "the pragma is ignored", "line": 1, "column": 1}],
            },
        }
    )
    show_warnings(task, name="a.qasm", program="pragma a\nqubit q;")
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines()[0] == "a.qasm:1:1: pragma_ignored: the pragma is ignored"
    assert "pragma a" in written.err.splitlines()[1]


@pytest.mark.parametrize("width", [60, 80])
def test_outcomes_on_a_terminal_are_never_truncated(width: int) -> None:
    written = StringIO()
    show_counts(Console(file=written, width=width, force_terminal=True, color_system=None, highlight=False), RESULT)
    assert "…" not in written.getvalue()
    digits = [line.split()[0] for line in written.getvalue().splitlines()[1:] if line.split()]
    assert "".join(part for part in digits if set(part) <= {"0", "1"}) == "".join(LONG)


def test_corrected_counts_have_a_column() -> None:
    readout = {"quasi_probabilities": {"0": 1.02, "1": -0.02}, "probabilities": {"0": 1.0, "1": 0.0}, "overhead": 1.1}
    written = StringIO()
    corrected = replace(RESULT, points=[{"0": 90, "1": 10}], shots=100, mitigation={"readout": readout})
    show_counts(Console(file=written, width=60, highlight=False), corrected)
    head, zero, one = written.getvalue().splitlines()
    assert head.split() == ["outcome", "counts", "share", "corrected"]
    assert zero.split()[:4] == ["0", "90", "90.0%", "102.0%"]
    assert one.split()[:4] == ["1", "10", "10.0%", "-2.0%"]
    swept = replace(corrected, points=[{"0": 1, "1": 1}] * 2, mitigation={"readout": [readout, readout]})
    show_counts(Console(file=written, width=60, highlight=False), swept)
    assert written.getvalue().count("102.0%") == 3
