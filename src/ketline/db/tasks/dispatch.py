"""SQL of the dispatcher: selects tasks to put on the queue, for the first time or again; `repository.py` runs it."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Update, and_, func, select, update

from ketline.db.engine.clock import doubling, from_now, later, now
from ketline.db.engine.planner_hints import checked
from ketline.db.schema.tables import claim_pauses, tasks
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import TaskQueue

# 64 times the first interval.
REDISPATCH_DOUBLINGS = 6


@cache
def take_due(limit: int, redispatch: timedelta) -> Update:
    """Takes tasks that were never dispatched, and makes each overdue after an interval."""
    return _take(limit, redispatch, tasks.c.dispatch_count == 0, now())


def take_overdue(limit: int, redispatch: timedelta, by: timedelta, queue: TaskQueue) -> Update:
    overdue = and_(tasks.c.dispatch_count > 0, checked(tasks.c.queue == queue.name))
    return _take(limit, redispatch, overdue, from_now(-by.total_seconds()))


def _take(limit: int, redispatch: timedelta, which: ColumnElement[bool], until: ColumnElement[object]) -> Update:
    due = (
        select(tasks.c.task_id)
        .where(which, tasks.c.dispatch_due_at <= until)
        .order_by(tasks.c.dispatch_due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # guard: dispatch.skip_locked
        .cte("due")
    )
    interval = doubling(redispatch.total_seconds(), tasks.c.dispatch_count, REDISPATCH_DOUBLINGS)
    return (
        update(tasks)
        .where(tasks.c.task_id.in_(select(due.c.task_id)))
        .values(dispatch_due_at=from_now(interval), dispatch_count=tasks.c.dispatch_count + 1)  # guard: dispatch.later
        .returning(tasks.c.task_id, tasks.c.correlation_id, tasks.c.trace_context, tasks.c.available_at, tasks.c.queue)
    )


@cache
def count_dispatched() -> Select[str, int]:
    """Counts the dispatched tasks of each queue."""
    dispatched = (tasks.c.dispatch_due_at.is_not(None), tasks.c.dispatch_count > 0)
    return select(tasks.c.queue, func.count()).where(*dispatched).group_by(tasks.c.queue)


@cache
def select_paused() -> Select[str]:
    """Selects the scopes of all pauses."""
    return select(claim_pauses.c.scope)


def postpone(task_ids: Sequence[UUID], delay: timedelta) -> Update:
    """Makes pending tasks due for their first dispatch again, since the last one failed."""
    return (
        update(tasks)
        .where(
            tasks.c.task_id.in_(task_ids),
            checked(tasks.c.current_status == TaskStatus.PENDING),  # guard: postpone.pending
        )
        .values(
            dispatch_due_at=later(tasks.c.available_at, from_now(delay.total_seconds())),  # guard: postpone.available
            dispatch_count=0,
        )
    )


def make_pending_due() -> Update:
    pending = tasks.c.current_status == TaskStatus.PENDING
    return update(tasks).where(pending).values(dispatch_due_at=tasks.c.available_at, dispatch_count=0)
