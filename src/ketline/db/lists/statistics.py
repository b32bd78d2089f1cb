"""SQL of the statistics: numbers of tasks by status and by queue, the longest wait, the rates at which tasks end.

`catalogue.py` runs it.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from ketline.db.engine.clock import from_now, now
from ketline.db.schema.statuses import has_status
from ketline.db.schema.tables import LISTED_BY_STATUS, tasks
from ketline.db.schema.visibility import all_of, is_of
from ketline.db.tasks.hold import runnable_since
from ketline.domain.access.principals import ProjectName
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import QueueCounts, Rate, TaskStatistics

RATE_MINUTES = (1, 5, 60)
_RATED = (TaskStatus.COMPLETED, TaskStatus.FAILED)


def summarize(connection: Connection, project: ProjectName) -> TaskStatistics:
    """Counts the tasks of a project."""
    at: datetime = connection.execute(select(now())).scalar_one()
    counts = {row.current_status: row.tasks for row in connection.execute(_count_by_status(project))}
    counts[TaskStatus.PROCESSING] = connection.execute(_count_processing(project)).scalar_one()
    ended = {row.current_status: row for row in connection.execute(_count_ended(project))}
    waiting = connection.execute(_select_longest_waiting(project)).one_or_none()
    return TaskStatistics(
        at=at,
        counts={status: counts.get(status, 0) for status in TaskStatus},
        oldest_pending_seconds=None if waiting is None else _seconds_waited(waiting, at),
        rates=[_rate(minutes, ended) for minutes in RATE_MINUTES],
        queues={row.queue: _queue_counts(row) for row in connection.execute(_count_by_queue(project))},
    )


def _count_by_status(project: ProjectName) -> Select[Any]:
    """Counts all but those that are processing, from the index of lists by status."""
    counted = select(tasks.c.current_status, func.count().label("tasks"))
    return counted.where(all_of(project), LISTED_BY_STATUS).group_by(tasks.c.project, tasks.c.current_status)


def _count_processing(project: ProjectName) -> Select[Any]:
    processing = has_status([TaskStatus.PROCESSING])
    return select(func.count()).select_from(tasks).where(processing, is_of(project))


def _count_by_queue(project: ProjectName) -> Select[Any]:
    """Counts the tasks that have not ended; the limit of the backlog bounds their number, and so the cost."""
    waits = and_(tasks.c.current_status == TaskStatus.PENDING, tasks.c.available_at <= now())
    counts = {"waiting": waits, "processing": tasks.c.current_status == TaskStatus.PROCESSING}
    return (
        select(tasks.c.queue, *(func.count().filter(which).label(name) for name, which in counts.items()))
        .where(has_status([TaskStatus.PENDING, TaskStatus.PROCESSING]), is_of(project))
        .group_by(tasks.c.queue)
        .order_by(tasks.c.queue)
    )


def _count_ended(project: ProjectName) -> Select[Any]:
    """Counts tasks that ended, from the entries of the last hour in one index."""
    counts = (
        func.count().filter(tasks.c.completed_at >= from_now(-60 * minutes)).label(_column(minutes))
        for minutes in RATE_MINUTES
    )
    recent = tasks.c.completed_at >= from_now(-60 * max(RATE_MINUTES))
    return (
        select(tasks.c.current_status, *counts)
        .where(all_of(project), has_status(_RATED), recent)
        .group_by(tasks.c.project, tasks.c.current_status)
    )


def _select_longest_waiting(project: ProjectName) -> Select[Any]:
    return (
        select(runnable_since().label("runnable_since"), tasks.c.scheduled_for)
        .where(all_of(project), has_status([TaskStatus.PENDING]), LISTED_BY_STATUS, tasks.c.available_at <= now())
        .order_by(tasks.c.project, tasks.c.submitted_at)
        .limit(1)
    )


def _queue_counts(row: Any) -> QueueCounts:
    return QueueCounts(waiting=row.waiting, processing=row.processing)


def _seconds_waited(row: Any, at: datetime) -> float:
    since: datetime = max(row.runnable_since, row.scheduled_for or row.runnable_since)
    return max(timedelta(), at - since).total_seconds()


def _rate(minutes: int, ended: dict[TaskStatus, Any]) -> Rate:
    completed, failed = (getattr(ended.get(status), _column(minutes), 0) / minutes for status in _RATED)
    return Rate(minutes=minutes, completed_per_minute=completed, failed_per_minute=failed)


def _column(minutes: int) -> str:
    return f"last_{minutes}"
