"""A `RetryPolicy` in SQL: the next state of a task after an attempt that failed through no fault of its program.

`statements.py` and `leases.py` set its columns.
"""

from typing import Any

from sqlalchemy import Column, ColumnElement, Float, case, literal, or_

from ketline.db.engine.clock import doubling, from_now, now
from ketline.db.schema.tables import tasks
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.status import TaskStatus


def delay_seconds(policy: RetryPolicy) -> ColumnElement[float]:
    """The delay after an attempt, which grows with the attempts that the task has spent."""
    return doubling(policy.random_delay_seconds(), tasks.c.spent_attempts, policy.doublings)


def delay_seconds_after_expiry(policy: RetryPolicy) -> ColumnElement[float]:
    """The delay after an expired lease: none the first time, since the lease's duration has passed already."""
    growing = doubling(policy.random_delay_seconds(), tasks.c.spent_attempts - 1, policy.doublings)
    return case((tasks.c.spent_attempts == 0, literal(0.0, Float)), else_=growing)


def next_state(policy: RetryPolicy, failure: Failure, delay: ColumnElement[float], *, crashed: bool) -> dict[str, Any]:
    """New values of columns: pending after `delay`, or failed when no more attempts, or crashes, are allowed."""
    exhausted = tasks.c.spent_attempts + 1 >= tasks.c.max_attempts  # guard: budget.attempts
    if crashed:
        exhausted = or_(exhausted, tasks.c.crashed_attempts + 1 >= policy.max_crashes)  # guard: budget.crashes
    code = FailureCode.WORKER_LOST if crashed else failure.code
    return {
        "current_status": _choose(exhausted, TaskStatus.FAILED, TaskStatus.PENDING, tasks.c.current_status),
        "spent_attempts": tasks.c.spent_attempts + 1,
        "crashed_attempts": tasks.c.crashed_attempts + int(crashed),
        "available_at": case((exhausted, tasks.c.available_at), else_=from_now(delay)),
        "dispatch_due_at": case((exhausted, None), else_=from_now(delay)),
        "dispatch_count": 0,
        "completed_at": case((exhausted, now()), else_=None),
        "error_code": case((exhausted, literal(code.value)), else_=None),
        "error_message": case((exhausted, literal(f"{failure.message}; it was tried as often as allowed")), else_=None),
        "lease_expires_at": None,
    }


def _choose(condition: ColumnElement[bool], yes: Any, no: Any, column: Column[Any]) -> ColumnElement[Any]:
    return case((condition, literal(yes, column.type)), else_=literal(no, column.type))
