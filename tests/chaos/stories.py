"""Histories of tasks for tests, right ones and ways to corrupt them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.chaos.run.ledger import Acknowledgement
from tests.chaos.run.programs import basis_state
from tests.chaos.verdict.records import HistoryLine, StoredTask

START = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = basis_state(5)


def line(second: int, status: str, attempt: int | None = None, worker: str | None = None) -> HistoryLine:
    """A line of history; each attempt has one token."""
    token = None if attempt is None else f"token-{attempt}"
    at = START + timedelta(seconds=second)
    return HistoryLine(status=status, at=at, attempt=attempt, token=token, worker=worker)


def completed_task() -> StoredTask:
    """Lost by one worker, completed by the next."""
    return StoredTask(
        task_id="a-task",
        correlation_id="run-5",
        status="completed",
        shots=KNOWN.shots,
        attempt=2,
        token="token-2",
        counts={next(iter(KNOWN.probabilities)): KNOWN.shots},
        error_code=None,
        error_line=None,
        completed_at=START + timedelta(seconds=6),
        lease_expires_at=None,
        dispatch_due_at=None,
        history=(
            line(0, "pending"),
            line(1, "processing", 1, "first"),
            line(4, "pending", 1, "first"),
            line(5, "processing", 2, "second"),
            line(6, "completed", 2, "second"),
        ),
    )


def cancelled_task() -> StoredTask:
    """Cancelled before anybody took it."""
    return replace(
        completed_task(),
        status="cancelled",
        attempt=0,
        token=None,
        counts=None,
        error_code="cancelled",
        history=(line(0, "pending"), line(6, "cancelled")),
    )


def failed_task(code: str, at_line: int | None) -> StoredTask:
    """Failed in its first attempt."""
    return replace(
        completed_task(),
        status="failed",
        attempt=1,
        token="token-1",
        counts=None,
        error_code=code,
        error_line=at_line,
        history=(line(0, "pending"), line(1, "processing", 1, "first"), line(2, "failed", 1, "first")),
    )


def acknowledged(task_id: str = "a-task", key: str = "run-5") -> Acknowledgement:
    return Acknowledgement(number=5, key=key, task_id=task_id, status=202)
