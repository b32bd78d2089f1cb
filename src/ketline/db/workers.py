"""The registry of live workers: one small row for each, written at every heartbeat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any, Self

from sqlalchemy import Connection, Delete, Float, Integer, Row, Select, Text, and_, case, delete, func, null, select
from sqlalchemy.sql.dml import ReturningInsert

from ketline.db.engine.bind_parameters import BindParameters
from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import Dialect, dialect_of
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.tables import tasks, workers
from ketline.db.schema.visibility import is_of
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.worker import CurrentTask, LiveWorker, WorkerCondition, WorkerIdentity
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.status import TaskStatus

_BEAT_PARAMETERS = BindParameters(
    worker_id=Text(),
    slots=Integer(),
    version=Text(),
    started_at=UtcDateTime(),
    lifetime_seconds=Float(),
    ready_slots=Integer(),
    problem=Text(),
    conversion_slots=Integer(),
    queues=workers.c.queues.type,
    draining_since=UtcDateTime(),
)
_DRAIN = (workers.c.draining_since, workers.c.drained_at)


@dataclass(frozen=True, slots=True)
class SqlWorkerRegistry:
    """The `WorkerRegistry` on a database, which shows the tasks of `project`."""

    database: Database
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        return replace(self, project=project)

    async def beat(
        self,
        worker: WorkerIdentity,
        started_at: datetime | None,
        lifetime: timedelta,
        condition: WorkerCondition | None = None,
    ) -> datetime:
        beat: dict[str, object] = {"worker_id": worker.worker_id, "slots": worker.slots, "version": worker.version}
        beat |= {"conversion_slots": worker.conversion_slots, "queues": worker.queues and list(worker.queues)}
        beat |= {"ready_slots": condition and condition.ready_slots, "problem": condition and condition.problem}
        beat |= {"draining_since": condition and condition.draining_since}
        values = _BEAT_PARAMETERS.parameters(
            {**beat, "started_at": started_at, "lifetime_seconds": lifetime.total_seconds()}
        )

        def work(connection: Connection) -> datetime:
            at: datetime = connection.execute(_upsert(dialect_of(connection)), values).scalar_one()
            return at

        return await self.database.urgent(work)

    async def leave(self, worker_id: WorkerId, started_at: datetime) -> None:
        await self._delete(delete(workers).where(workers.c.worker_id == worker_id, workers.c.started_at == started_at))

    async def live(self) -> Sequence[LiveWorker]:
        def work(connection: Connection) -> Sequence[Row[Any]]:
            return connection.execute(_select_live(), {"bound_project": self.project}).all()

        rows = await self.database.read(work)
        return [_to_worker(list(group)) for _, group in groupby(rows, key=lambda row: row.worker_id)]

    async def remove_lost(self, after: timedelta) -> int:
        return await self._delete(delete(workers).where(workers.c.live_until < from_now(-after.total_seconds())))

    async def _delete(self, statement: Delete) -> int:
        def work(connection: Connection) -> int:
            return connection.execute(statement).rowcount

        return await self.database.autocommit(work)


@cache
def _upsert(dialect: Dialect) -> ReturningInsert[Any]:
    request = _BEAT_PARAMETERS.one()
    columns = {
        "slots": request.slots,
        "version": request.version,
        "started_at": func.coalesce(request.started_at, now(), type_=UtcDateTime()),
        "last_seen_at": now(),
        "live_until": from_now(request.lifetime_seconds),
        "ready_slots": request.ready_slots,
        "problem": request.problem,
        "conversion_slots": request.conversion_slots,
        "queues": request.queues,
    }
    # A drain is one of a process: another one under its id is not being drained.
    starts = request.started_at.is_(None)
    drain = {column.name: case((starts, null()), else_=column) for column in _DRAIN}
    statement: ReturningInsert[Any] = (
        dialect.insert(workers)
        .values(worker_id=request.worker_id, draining_since=request.draining_since, **columns)
        .on_conflict_do_update(index_elements=[workers.c.worker_id], set_={**columns, **drain})
        .returning(workers.c.started_at)
    )
    return statement


@cache
def _select_live() -> Select[Any]:
    """Selects a row for each task of `bound_project` of each live worker, and one without a task for other workers."""
    processing = tasks.c.current_status == TaskStatus.PROCESSING
    held = and_(tasks.c.lease_owner == workers.c.worker_id, processing, is_of(None))
    columns = [tasks.c.task_id, tasks.c.attempt, tasks.c.claimed_at, tasks.c.lease_expires_at]
    return (
        select(*workers.c, *columns, now().label("at"))
        .join(tasks, held, isouter=True)
        # A worker last seen in the future has sent no heartbeat since the clock was set back.
        .where(workers.c.live_until > now(), workers.c.last_seen_at <= now())
        .order_by(workers.c.worker_id, tasks.c.claimed_at)
    )


def _to_worker(rows: Sequence[Row[Any]]) -> LiveWorker:
    row = rows[0]
    return LiveWorker(
        identity=WorkerIdentity(
            worker_id=WorkerId(row.worker_id),
            slots=row.slots,
            version=row.version,
            conversion_slots=row.conversion_slots or 0,
            queues=row.queues,
        ),
        started_at=row.started_at,
        last_seen_at=row.last_seen_at,
        condition=_condition(row),
        drained_at=row.drained_at,
        tasks=tuple(_current(rows)),
    )


def _condition(row: Row[Any]) -> WorkerCondition | None:
    if row.ready_slots is None:
        return None
    return WorkerCondition(ready_slots=row.ready_slots, problem=row.problem, draining_since=row.draining_since)


def _current(rows: Sequence[Row[Any]]) -> Iterator[CurrentTask]:
    for row in rows:
        if row.task_id is not None:
            yield CurrentTask(
                task_id=TaskId(row.task_id),
                attempt=row.attempt,
                claimed_at=row.claimed_at,
                running_seconds=(row.at - row.claimed_at).total_seconds(),
                lease_expires_at=row.lease_expires_at,
                lease_seconds_left=(row.lease_expires_at - row.at).total_seconds(),
            )
