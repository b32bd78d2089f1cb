"""The measurement of the service for its metrics: its queues, its workers and its size, in one short transaction."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, literal, select, text, union_all

from ketline.db.engine.clock import after, now, seconds_between
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import SQLITE
from ketline.db.predicted_work import read_durations
from ketline.db.schema.statuses import has_status
from ketline.db.schema.tables import claim_pauses, deliveries, tasks, workers
from ketline.db.tasks.hold import runnable_since
from ketline.db.webhooks.messages import IS_DUE
from ketline.domain.attempts.predicted_work import QueueDurations
from ketline.domain.operations.measurements import QueueMeasurement, ServiceMeasurement
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS
from ketline.domain.webhooks.deliveries import MAX_DELIVERY_TIME

TIME_LIMIT_SECONDS = 2.0
# SQLite asks so often whether to continue, counted in steps of its virtual machine: about once a millisecond.
_STEPS = 20_000
# More messages than these are not counted: those of an outage of all receivers must not keep the rest from being read.
MAX_WEBHOOKS = 100_000


@dataclass(frozen=True, slots=True)
class SqlServiceMeasurer:
    """The `ServiceMeasurer` on a database. The limit of the backlog bounds the rows that it reads."""

    database: Database
    time_limit_seconds: float = TIME_LIMIT_SECONDS

    async def measure(self) -> ServiceMeasurement:
        if self.database.dialect is SQLITE:
            return await self.database.read(self._measure_sqlite)
        # Only a transaction can have a time limit of its own.
        return await self.database.write(self._measure_postgresql)

    def _measure_postgresql(self, connection: Connection) -> ServiceMeasurement:
        milliseconds = int(self.time_limit_seconds * 1000)
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
        return _measure(connection, "SELECT pg_database_size(current_database())")

    def _measure_sqlite(self, connection: Connection) -> ServiceMeasurement:
        with _limited(connection, self.time_limit_seconds):
            return _measure(connection, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")


def _measure(connection: Connection, size: str) -> ServiceMeasurement:
    counted = connection.execute(_count_tasks()).all()
    live = connection.execute(_select_workers()).all()
    webhooks = connection.execute(_count_webhooks()).one()
    return ServiceMeasurement(
        queues=_queues(counted, live, read_durations(connection)),
        workers=len(live),
        workers_without_simulator=sum(row.ready_slots == 0 and row.problem is not None for row in live),
        workers_draining=sum(row.draining_since is not None for row in live),
        claim_pauses=connection.execute(select(func.count()).select_from(claim_pauses)).scalar_one(),
        webhooks_waiting=webhooks.waiting,
        oldest_webhook_seconds=_at_least_zero(webhooks.oldest_seconds),
        database_bytes=connection.execute(text(size)).scalar_one(),
    )


def _count_tasks() -> Select[Any]:
    """Counts the tasks that have not ended, of all projects."""
    pending = tasks.c.current_status == TaskStatus.PENDING
    waits = and_(pending, tasks.c.available_at <= now())
    counts = {
        "waiting": waits,
        "delayed": and_(pending, tasks.c.available_at > now()),
        "processing": tasks.c.current_status == TaskStatus.PROCESSING,
    }
    since = case((tasks.c.scheduled_for > runnable_since(), tasks.c.scheduled_for), else_=runnable_since())
    return (
        select(
            tasks.c.queue,
            *(func.count().filter(which).label(name) for name, which in counts.items()),
            seconds_between(func.min(since).filter(waits), now()).label("oldest_seconds"),
        )
        .where(has_status([TaskStatus.PENDING, TaskStatus.PROCESSING]))
        .group_by(tasks.c.queue)
    )


def _count_webhooks() -> Select[int, float]:
    """Counts the messages that are still to be delivered, of all projects, those of tasks that ended just now too."""
    # Repeated deliveries are as old as their repetition.
    begun = select(after(deliveries.c.give_up_at, literal(-MAX_DELIVERY_TIME.total_seconds())).label("since"))
    waiting = begun.where(deliveries.c.next_at.is_not(None)).limit(MAX_WEBHOOKS)
    due = select(tasks.c.completed_at.label("since")).where(IS_DUE).limit(MAX_WEBHOOKS)
    both = union_all(select(waiting.subquery()), select(due.subquery())).subquery()
    return select(func.count().label("waiting"), seconds_between(func.min(both.c.since), now()).label("oldest_seconds"))


def _select_workers() -> Select[Any]:
    live = and_(workers.c.live_until > now(), workers.c.last_seen_at <= now())
    return select(workers.c.ready_slots, workers.c.draining_since, workers.c.problem, workers.c.queues).where(live)


def _queues(
    counted: Sequence[Row[Any]], live: Sequence[Row[Any]], durations: Mapping[str, QueueDurations]
) -> Mapping[str, QueueMeasurement]:
    """The queues with tasks or workers, and always those of simulations and conversions, for scaling from no worker."""
    tasks_of = {row.queue: row for row in counted}
    # Older versions register no queues; they take simulations.
    taken = [queue for row in live for queue in (row.queues or [SIMULATIONS.name])]
    return {
        name: QueueMeasurement(
            waiting=row.waiting if row is not None else 0,
            delayed=row.delayed if row is not None else 0,
            processing=row.processing if row is not None else 0,
            oldest_seconds=_at_least_zero(row.oldest_seconds) if row is not None else None,
            workers=taken.count(name),
            durations=durations.get(name, QueueDurations()),
        )
        for name in {SIMULATIONS.name, CONVERSIONS.name, *tasks_of, *taken}
        for row in [tasks_of.get(name)]
    }


def _at_least_zero(seconds: float | None) -> float | None:
    return None if seconds is None else max(0.0, seconds)


@contextmanager
def _limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Interrupt SQLite's statements when the time is over, which it reports as an operational error."""
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + seconds
    driver.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
