"""Every status is known where the statuses are handled one by one."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from ketline.api.responses.errors import HTTPProblem
from ketline.api.tasks.views import outcomes_of, view_task
from ketline.cli import show
from ketline.client import html_repr
from ketline.domain.task import LEGAL_MOVES, CorrelationId, Task, TaskId, TaskStatus

ROOT = Path(__file__).parents[2]
STYLES = ROOT / "src" / "ketline" / "web" / "static" / "ketline.css"
# These have the colour of what has none.
PLAIN = {TaskStatus.PENDING}
PLAIN_ON_PAGES = {TaskStatus.PENDING, TaskStatus.CANCELLED}


def task(status: TaskStatus) -> Task:
    return Task(
        task_id=TaskId(uuid4()),
        shots=10,
        status=status,
        submitted_at=datetime.now(UTC),
        correlation_id=CorrelationId("c"),
        attempt=0,
    )


@pytest.mark.parametrize("status", TaskStatus)
def test_view_has_a_message(status: TaskStatus) -> None:
    assert view_task(task(status)).message


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.COMPLETED])
def test_task_without_counts_says_why(status: TaskStatus) -> None:
    with pytest.raises(HTTPProblem):
        outcomes_of(task(status))


def test_every_status_has_a_colour() -> None:
    coloured = set(TaskStatus) - PLAIN
    assert set(show.STATUS_COLOURS) == coloured
    assert set(html_repr.STATUS_COLOURS) == coloured
    styles = STYLES.read_text(encoding="utf-8")
    assert set(re.findall(r"\.badge\.(\w+)", styles)) == set(TaskStatus) - PLAIN_ON_PAGES


def test_diagram_of_the_architecture_has_the_legal_moves() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = {(before, after) for before, after in re.findall(r"^    (\S+) --> ([^\s:]+)", page, re.MULTILINE)}
    moves = {(before.value, after.value) for before, moves in LEGAL_MOVES.items() for after in moves}
    ends = {(status.value, "[*]") for status in TaskStatus if status.terminal}
    assert drawn == moves | ends | {("[*]", TaskStatus.PENDING.value)}
