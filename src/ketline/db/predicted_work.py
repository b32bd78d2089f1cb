"""SQL of the prediction of work: the slots' time that recent tasks of each queue took.

`measurements.py` reads it for the metrics.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ketline.db.engine.clock import from_now, now, seconds_between
from ketline.db.schema.statuses import has_status
from ketline.db.schema.tables import tasks
from ketline.domain.attempts.predicted_work import Durations, QueueDurations
from ketline.domain.status import TaskStatus

# The number of rows that are read: the last completed tasks over all queues.
RECENT_TASKS = 1000
RECENT_SECONDS = 3600.0
LAST_MINUTE_SECONDS = 60.0
# A task counts as running after this time: one that was claimed ahead waits for a simulator, for 0.25 s at most.
BUSY_SECONDS = 1.0


def read_durations(connection: Connection) -> Mapping[str, QueueDurations]:
    """Reads the durations of tasks by queue; a queue without such tasks is left out."""
    ended = {row.queue: row for row in connection.execute(_select_ended())}
    running = {row.queue: _durations(row.tasks, row.seconds) for row in connection.execute(_select_running())}
    return {
        queue: QueueDurations(
            ended=_durations(row.tasks, row.seconds) if row is not None else Durations(),
            last_minute=_durations(row.recent_tasks, row.recent_seconds) if row is not None else Durations(),
            running=running.get(queue, Durations()),
        )
        for queue in {*ended, *running}
        for row in [ended.get(queue)]
    }


def _select_ended() -> Select[Any]:
    """The time in a simulator is in the profile; a task without one counts from its claim to its end."""
    in_simulator = tasks.c.profile["parsing_seconds"].as_float() + tasks.c.profile["simulating_seconds"].as_float()
    from_claim = seconds_between(tasks.c.claimed_at, tasks.c.completed_at)
    last = (
        select(tasks.c.queue, tasks.c.completed_at, func.coalesce(in_simulator, from_claim, 0.0).label("seconds"))
        .where(has_status([TaskStatus.COMPLETED]), tasks.c.completed_at >= from_now(-RECENT_SECONDS))
        .order_by(tasks.c.completed_at.desc())
        .limit(RECENT_TASKS)
        .subquery()
    )
    last_minute = last.c.completed_at >= from_now(-LAST_MINUTE_SECONDS)
    return select(
        last.c.queue,
        func.count().label("tasks"),
        func.sum(last.c.seconds).label("seconds"),
        func.count().filter(last_minute).label("recent_tasks"),
        func.sum(last.c.seconds).filter(last_minute).label("recent_seconds"),
    ).group_by(last.c.queue)


def _select_running() -> Select[Any]:
    sums = (func.count().label("tasks"), func.sum(seconds_between(tasks.c.claimed_at, now())).label("seconds"))
    return (
        select(tasks.c.queue, *sums)
        .where(has_status([TaskStatus.PROCESSING]), tasks.c.claimed_at <= from_now(-BUSY_SECONDS))
        .group_by(tasks.c.queue)
    )


def _durations(number: int, seconds: float | None) -> Durations:
    return Durations(tasks=number, seconds=max(0.0, seconds or 0.0))
