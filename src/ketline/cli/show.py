"""Output of the commands: tasks, counts and failures, formatted on a terminal, plain with tabs elsewhere."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ketline.client import Change, Diagnostic, Failure, ProgramWarning, Result, Task
from ketline.client.models import Counts
from ketline.client.problems import pointer

BAR_WIDTH = 32
_MAX_WIDTH = 10_000
MAX_ROWS = 32
MAX_IN_A_LINE = 4
_MAX_SHOWN_QUBITS = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"
STATUS_COLOURS = {"completed": "green", "failed": "red", "cancelled": "yellow", "processing": "blue"}


def output_console() -> Console:
    """The console of standard output."""
    return Console(highlight=False)


def error_console() -> Console:
    """The console of standard error."""
    return Console(stderr=True, highlight=False)


def show_json(document: Any) -> None:
    """Print a JSON document."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def show_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal; elsewhere a line for each row, with tabs and without the header."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(" ".join(printable(cell).split()) for cell in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold", no_wrap=name == "task")
    for row in rows:
        table.add_row(*(Text(printable(cell), style=STATUS_COLOURS.get(cell, "")) for cell in row))
    output_console().print(table)


def show_counts(console: Console, result: Result) -> None:
    """Print a table of outcomes with counts, shares and bars, most frequent first; one for each point of a sweep."""
    if result.expectation_values is not None:
        values, errors = result.expectation_values, result.standard_errors
        console.print_json(data=values if errors is None else {"expectation_values": values, "standard_errors": errors})
        if result.gradients is not None:
            console.print_json(data=result.gradients)
        return
    if result.saved:
        console.print_json(data=result.data["outputs"])
    if result.output is not None:
        text = (
            result.output
            if isinstance(result.output, str)
            else f"{len(result.output)} bytes; --output FILE writes them"
        )
        console.print(Text(printable(text)), soft_wrap=True)
        return
    if not console.is_terminal:
        console.width = max(console.width, _MAX_WIDTH)  # elsewhere lines have no limit, so fold none
    for number, counts in enumerate(result.points):
        if len(result.points) > 1:
            console.print(f"point {number}")
        _show_table(console, counts, result.shots, _corrected(result, number))


def show_failure(console: Console, failure: Failure | Diagnostic | ProgramWarning, *, name: str, program: str) -> None:
    """Print an error or warning, and if its position is known, the line of the program with a caret below."""
    position = ":".join([name, *(str(part) for part in (failure.line, failure.column) if part is not None)])
    for line in (f"{position}: {failure.code}: {failure.message}", *pointer(program, failure.line, failure.column)):
        console.print(Text(printable(line)), soft_wrap=True)


def show_warnings(task: Task, *, name: str, program: str) -> None:
    """Print a task's warnings on standard error, where they do not disturb a script that reads the result."""
    for warning in () if task.profile is None else task.profile.warnings:
        show_failure(error_console(), warning, name=name, program=program)


def show_task(task: Task, program: str | None = None) -> None:
    """Print a task: its properties, its error or warnings, and its result."""
    facts = {
        "task": str(task.task_id),
        "status": str(task.status),
        "name": task.name or "",
        "owner": task.owner or "",
        "tags": ", ".join(task.tags),
        "submitted": _time(task.data["submitted_at"]),
        "completed": _time(task.data.get("completed_at", "")),
        "queue": _queue_position(task),
        "hold": _hold(task),
        "kind": kind_of(task),
        "priority": str(task.priority or ""),
        "shots": str(task.shots or ""),
        "seed": "" if task.seed is None else str(task.seed),
        "method": _method(task),
        "device": _device(task),
        "callback": task.data.get("callback") or "",
    }
    console = output_console()
    for name, value in facts.items():
        if value:
            console.print(Text(f"{name:<10} {printable(value)}"), soft_wrap=True)
    shown_as = task.name or "program"
    if task.error is not None:
        show_failure(console, task.error, name=shown_as, program=program or "")
    show_warnings(task, name=shown_as, program=program or "")
    if task.result is not None:
        show_counts(console, task.result)


def kind_of(task: Task) -> str:
    """The kind of a task with its target or backend; empty for a simulation."""
    return "" if task.kind == "simulate" else " ".join(filter(None, (task.kind, task.target, task.backend)))


def _method(task: Task) -> str:
    if task.profile is None or task.kind != "simulate":
        return ""
    engine = f" on {task.profile.engine}" if task.profile.engine not in (None, task.profile.method) else ""
    return f"{task.profile.method}{engine} ({task.profile.method_reason})"


def _device(task: Task) -> str:
    """The device of a task, and where its program was placed there."""
    if task.profile is None or (placement := task.profile.placement) is None:
        return str((task.data.get("device") or {}).get("name", ""))
    layout = ", ".join(map(str, placement.layout[:_MAX_SHOWN_QUBITS]))
    more = ", …" if len(placement.layout) > _MAX_SHOWN_QUBITS else ""
    size = f"depth {placement.depth}, two-qubit gates {placement.two_qubit_gates}"
    return f"{placement.device} (qubits {layout}{more}; {size})"


def printable(text: str) -> str:
    """Replace control characters, since other users' texts may try to move the cursor or colour the screen."""
    return "".join(character if character.isprintable() or character in "\t\n" else "\ufffd" for character in text)


def change_line(change: Change) -> str:
    """Format an entry of a task's history as one line."""
    took = "" if change.duration_seconds is None else f" after {change.duration_seconds:g} s"
    return printable(f"{_time(change.at.isoformat())}  {change.status:<10}  {change.notes or ''}{took}".rstrip())


def outcome_line(name: str, task: Task | None) -> str:
    """Format the outcome of an ended task as one line."""
    if task is None:
        return f"{name}: not found: it was never submitted, or has been deleted"
    if task.error is not None:
        return printable(f"{name}: {task.status}: {task.error.code}: {' '.join(task.error.message.split())}")
    return f"{name}: {task.status}{outcomes(task.result)}"


def outcomes(result: Result | None) -> str:
    """The most frequent measurement outcomes, for the end of a line."""
    if result is None:
        return ""
    if result.expectation_values is not None:
        return f": {len(result.expectation_values)} expectation values"
    if result.output is not None:
        return f": {len(result.output)} {'characters' if isinstance(result.output, str) else 'bytes'}"
    if result.saved:
        return f": {', '.join(result.saved[0])}"
    if len(result.points) != 1:
        return f": {len(result.points)} points"
    ranked = _ranked(result.counts)
    shown = [f"{key} {count}" for key, count in ranked[:MAX_IN_A_LINE]]
    return ": " + ", ".join(shown + (["…"] if len(ranked) > MAX_IN_A_LINE else []))


def _hold(task: Task) -> str:
    if not task.hold:
        return ""
    return f"released {_time(task.data['released_at'])}" if task.released_at else "until 'ketline enqueue'"


def _queue_position(task: Task) -> str:
    if task.queue is None:
        return ""
    least = "at least " if task.queue.at_least else ""
    starts = task.queue.estimated_start
    return f"{least}number {task.queue.position}" + (
        f", expected to start at {_time(starts.isoformat())}" if starts else ""
    )


def _corrected(result: Result, point: int) -> Mapping[str, float] | None:
    """The corrected counts of a point, as quasi-probabilities; None if they were not corrected."""
    readout = (result.mitigation or {}).get("readout")
    found = readout[point] if isinstance(readout, list) else readout
    return found and found["quasi_probabilities"]


def _show_table(console: Console, counts: Counts, shots: int, corrected: Mapping[str, float] | None = None) -> None:
    ranked = _ranked(counts)
    largest = ranked[0][1] if ranked else 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    # Truncated, different outcomes would look the same.
    table.add_column("outcome", overflow="fold")
    table.add_column("counts", justify="right")
    table.add_column("share", justify="right")
    if corrected is not None:
        table.add_column("corrected", justify="right")
    table.add_column("", no_wrap=True)
    for outcome, count in ranked[:MAX_ROWS]:
        more = [] if corrected is None else [f"{corrected[outcome]:.1%}"]
        table.add_row(outcome, str(count), f"{count / shots:.1%}", *more, Text(_bar(count / largest), style="cyan"))
    console.print(table)
    if hidden := ranked[MAX_ROWS:]:
        rest = sum(count for _, count in hidden)
        console.print(f"… and {len(hidden)} other outcomes with {rest} counts; --json prints all of them.")


def _ranked(counts: Counts) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ")


def _bar(fraction: float) -> str:
    eighths = round(fraction * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
