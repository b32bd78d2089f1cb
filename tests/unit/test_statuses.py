"""Every status is known where the statuses are handled one by one."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from ketline.api.responses.errors import HTTPProblem
from ketline.api.tasks.views import outcomes_of, view_task
from ketline.backends.ketline import REMOTE_STATUSES
from ketline.cli import show
from ketline.cli.client.progress import BatchProgress
from ketline.client import TaskCancelled, TaskFailed, html_repr
from ketline.client.decoding import read_task
from ketline.client.problems import failure_of
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.status import LEGAL_MOVES, TaskStatus
from ketline.domain.tasks.task import Task
from tests.chaos.verdict import invariants, records
from tests.statemachine.task import MOVES

ROOT = Path(__file__).parents[2]
STYLES = ROOT / "src" / "ketline" / "web" / "static" / "ketline.css"
# These have the colour of what has none.
PLAIN = {TaskStatus.PENDING}
PLAIN_ON_PAGES = {TaskStatus.PENDING, TaskStatus.CANCELLED}
# What `ketline run` counts a task as, and the client's exception for one that ended without a result.
COUNTED_AS = {
    TaskStatus.PENDING: "queued",
    TaskStatus.PROCESSING: "running",
    TaskStatus.COMPLETED: "done",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
EXCEPTIONS = {TaskStatus.FAILED: TaskFailed, TaskStatus.CANCELLED: TaskCancelled}


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


@pytest.mark.parametrize("status", TaskStatus)
def test_progress_counts_a_task_of_each_status(status: TaskStatus) -> None:
    task_id = uuid4()
    with BatchProgress([task_id]) as progress:
        progress.record(task_id, status)
        assert f"{COUNTED_AS[status]} 1" in progress.summary


def test_every_status_of_a_task_on_another_ketline_is_one_of_a_job() -> None:
    assert {status: REMOTE_STATUSES[status].ended for status in TaskStatus} == {
        status: status.terminal for status in TaskStatus
    }


@pytest.mark.parametrize("status", [status for status in TaskStatus if status.terminal])
def test_client_has_an_exception_for_each_end_without_a_result(status: TaskStatus) -> None:
    if status is not TaskStatus.COMPLETED:
        found = read_task(view_task(task(status)).model_dump(mode="json", exclude_none=True))
        assert type(failure_of(found)) is EXCEPTIONS[status]


def test_models_have_the_legal_moves() -> None:
    """They state them a second time, because the table of the service is what they test."""
    moves = {status.value: {after.value for after in moves} for status, moves in LEGAL_MOVES.items()}
    assert {status: after for status, after in MOVES.items() if status is not None} == moves
    assert {(before, after) for before, following in moves.items() for after in following} == invariants.LEGAL_MOVES
    assert {status.value for status in TaskStatus if status.terminal} == records.TERMINAL
