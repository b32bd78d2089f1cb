"""Compare every row of the database with the model."""

from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Any

from sqlalchemy import Row

from tests.statemachine.model import DRIFT_SECONDS, Model
from tests.statemachine.task import MOVES, Line, ModelTask
from tests.statemachine.world import Snapshot

# What never comes in the model is the last day that the databases know, less what the machine has let pass.
FAR_YEAR = 9000


def compare(model: Model, seen: Snapshot) -> None:
    """Fail at the first difference; delays that were drawn are checked against their bounds and taken over."""
    assert set(seen.tasks) == set(model.tasks)
    for task in model.tasks.values():
        row, lines = seen.tasks[task.task_id], seen.lines[task.task_id]
        _take_over_backoff(model, task, seen, row)
        _compare_row(task, row)
        _compare_times(model, task, seen, row)
        _compare_history(model, task, seen, lines)
        _check_path(lines)
    _compare_keys(model, seen)


def _take_over_backoff(model: Model, task: ModelTask, seen: Snapshot, row: Row[Any]) -> None:
    if task.backoff is None:
        return
    delay = seen.seconds_from_now(row.available_at)
    assert delay is not None
    assert task.backoff[0] - DRIFT_SECONDS <= delay <= task.backoff[1]
    assert row.dispatch_due_at == row.available_at
    task.available_at = task.due_at = model.now + delay
    task.backoff = None


def _compare_row(task: ModelTask, row: Row[Any]) -> None:
    assert row.current_status == task.status
    assert (row.attempt, row.spent_attempts, row.crashed_attempts) == (task.attempt, task.spent, task.crashed)
    assert row.dispatch_count == task.dispatches
    assert (row.lease_token, row.lease_owner) == (task.token, task.worker)
    assert row.error_code == task.code
    assert (row.priority, row.overtakes, row.is_long) == (task.priority, task.overtakes, task.is_long)
    assert (row.hold and row.released_at is None) == task.held
    assert (row.result["counts"] if row.result else None) == task.counts
    assert (row.result is not None) == (task.status == "completed")


def _compare_times(model: Model, task: ModelTask, seen: Snapshot, row: Row[Any]) -> None:
    pairs = [
        (row.lease_expires_at, task.lease_until),
        (row.available_at, task.available_at),
        (row.dispatch_due_at, task.due_at),
        (row.completed_at, task.ended_at),
        (row.claimed_at, task.claimed_at if task.attempt else None),
    ]
    for real, expected in pairs:
        _same_time(model, seen, real, expected)


def _same_time(model: Model, seen: Snapshot, real: datetime | None, expected: float | None) -> None:
    assert (real is None) == (expected is None)
    if expected == inf:
        assert real is not None
        assert real.year > FAR_YEAR
    elif real is not None and expected is not None:
        assert abs((real - seen.at).total_seconds() - (expected - model.now)) <= DRIFT_SECONDS


def _compare_history(model: Model, task: ModelTask, seen: Snapshot, lines: Sequence[Row[Any]]) -> None:
    assert [(row.status, row.attempt, row.lease_token, row.worker_id, row.cause) for row in lines] == [
        (line.status, line.attempt, line.token, line.worker, line.cause) for line in task.lines
    ]
    for row, line in zip(lines, task.lines, strict=True):
        _same_time(model, seen, row.transitioned_at, line.at)
        _same_duration(row, line)


def _same_duration(row: Row[Any], line: Line) -> None:
    assert (row.duration_seconds is None) == (line.since is None)
    if line.since is not None:
        assert abs(row.duration_seconds - (line.at - line.since)) <= DRIFT_SECONDS


def _check_path(lines: Sequence[Row[Any]]) -> None:
    """The history alone, without the model: a legal path with at most one terminal line, its attempts one by one."""
    before: str | None = None
    for line in lines:
        assert line.status in MOVES[before]
        before = line.status
    assert sum(not MOVES[line.status] for line in lines) <= 1
    claims = [line.attempt for line in lines if line.status == "processing"]
    assert claims == list(range(1, len(claims) + 1))


def _compare_keys(model: Model, seen: Snapshot) -> None:
    assert {name: (row.fingerprint, row.task_id) for name, row in seen.keys.items()} == {
        name: (key.fingerprint, key.task_id) for name, key in model.keys.items()
    }
    for name, row in seen.keys.items():
        _same_time(model, seen, row.expires_at, model.keys[name].until)
