"""SQL of the statistics: the number of tasks by status, the longest wait, and the rates at which tasks end."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ketline.db.engine.clock import from_now, now
from ketline.db.schema.statuses import has_status
from ketline.db.schema.tables import LISTED_BY_STATUS, tasks
from ketline.db.tasks.hold import came_at
from ketline.domain.lists import Rate, TaskStatistics
from ketline.domain.task import TaskStatus

RATE_MINUTES = (1, 5, 60)
_RATED = (TaskStatus.COMPLETED, TaskStatus.FAILED)


def summarize(connection: Connection) -> TaskStatistics:
    at: datetime = connection.execute(select(now())).scalar_one()
    counts = {row.current_status: row.tasks for row in connection.execute(_count_by_status())}
    ended = {row.current_status: row for row in connection.execute(_count_ended())}
    waiting = connection.execute(_select_longest_waiting()).one_or_none()
    return TaskStatistics(
        at=at,
        counts={status: counts.get(status, 0) for status in TaskStatus},
        oldest_pending_seconds=None if waiting is None else _seconds_waited(waiting, at),
        rates=[_rate(minutes, ended) for minutes in RATE_MINUTES],
    )


def _count_by_status() -> Select[Any]:
    return select(tasks.c.current_status, func.count().label("tasks")).group_by(tasks.c.current_status)


def _count_ended() -> Select[Any]:
    """Counts tasks that ended, from the entries of the last hour in one index."""
    counts = (
        func.count().filter(tasks.c.completed_at >= from_now(-60 * minutes)).label(_column(minutes))
        for minutes in RATE_MINUTES
    )
    recent = tasks.c.completed_at >= from_now(-60 * max(RATE_MINUTES))
    return select(tasks.c.current_status, *counts).where(has_status(_RATED), recent).group_by(tasks.c.current_status)


def _select_longest_waiting() -> Select[Any]:
    return (
        select(came_at().label("came_at"), tasks.c.scheduled_for)
        .where(has_status([TaskStatus.PENDING]), LISTED_BY_STATUS, tasks.c.available_at <= now())
        .order_by(tasks.c.submitted_at)
        .limit(1)
    )


def _seconds_waited(row: Any, at: datetime) -> float:
    since: datetime = max(row.came_at, row.scheduled_for or row.came_at)
    return max(timedelta(), at - since).total_seconds()


def _rate(minutes: int, ended: dict[TaskStatus, Any]) -> Rate:
    completed, failed = (getattr(ended.get(status), _column(minutes), 0) / minutes for status in _RATED)
    return Rate(minutes=minutes, completed_per_minute=completed, failed_per_minute=failed)


def _column(minutes: int) -> str:
    return f"last_{minutes}"
