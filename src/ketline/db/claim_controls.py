"""The pauses of queues and the drains of workers on a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Text, Update, bindparam, delete, func, literal_column, select, update

from ketline.db.audit import write_entry
from ketline.db.engine.clock import now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import dialect_of
from ketline.db.schema.tables import claim_pauses, tasks, workers
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import Owner
from ketline.domain.attempts.claim_stops import ClaimStops, Drain, Pause, PauseScope
from ketline.domain.errors import WorkerUnknown
from ketline.domain.ids import WorkerId
from ketline.domain.status import TaskStatus


@dataclass(frozen=True, slots=True)
class SqlClaimControls:
    """The `ClaimControls` on a database."""

    database: Database

    async def pauses(self) -> Sequence[Pause]:
        statement = select(claim_pauses).order_by(claim_pauses.c.scope)
        rows = await self.database.read(lambda connection: connection.execute(statement).all())
        return [
            Pause(
                scope=PauseScope(row.scope),
                since=row.since,
                reason=row.reason,
                owner=Owner(row.owner) if row.owner else None,
            )
            for row in rows
        ]

    async def pause(self, scope: PauseScope, reason: str | None, actor: Actor) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(_insert_pause(connection, scope, reason, actor)).one_or_none() is not None or (
                reason is not None and connection.execute(_change_reason(scope, reason)).one_or_none() is not None
            ):
                _record(connection, Action.CLAIMS_PAUSED, scope, actor, reason)

        await self.database.write(work)

    async def resume(self, scope: PauseScope | None, actor: Actor) -> Sequence[PauseScope]:
        wanted = [] if scope is None else [claim_pauses.c.scope == scope]
        statement = delete(claim_pauses).where(*wanted).returning(claim_pauses.c.scope)

        def work(connection: Connection) -> Sequence[PauseScope]:
            removed = sorted(PauseScope(row.scope) for row in connection.execute(statement).all())
            for one in removed:
                _record(connection, Action.CLAIMS_RESUMED, one, actor)
            return removed

        return await self.database.write(work)

    async def drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        begin = _set_drain(worker_id, workers.c.draining_since.is_(None), draining_since=now(), drained_at=None)
        return await self._change_drain(worker_id, begin, Action.WORKER_DRAIN_STARTED, actor)

    async def end_drain(self, worker_id: WorkerId, actor: Actor) -> Drain:
        end = _set_drain(worker_id, workers.c.draining_since.is_not(None), draining_since=None, drained_at=None)
        return await self._change_drain(worker_id, end, Action.WORKER_DRAIN_ENDED, actor)

    async def drain_of(self, worker_id: WorkerId) -> Drain | None:
        return await self.database.read(lambda connection: _read_drain(connection, worker_id))

    async def stops_of(self, worker_id: WorkerId, known: datetime | None) -> ClaimStops:
        values = {"bound_worker": worker_id}
        rows = await self.database.read(lambda connection: connection.execute(_select_stops(), values).all())
        [first, *_] = rows
        return ClaimStops(
            scopes=tuple(sorted(row.scope for row in rows if row.scope is not None)),
            draining_since=first.draining_since if first.worker_id is not None else known,
            drained=first.drained_at is not None,
        )

    async def record_drained(self, worker_id: WorkerId) -> bool:
        held = select(tasks.c.task_id).where(_is_held_by(worker_id)).exists()
        free = _set_drain(worker_id, workers.c.draining_since.is_not(None), drained_at=now()).where(~held)

        def work(connection: Connection) -> bool:
            return connection.execute(free).one_or_none() is not None

        return await self.database.autocommit(work)

    async def _change_drain(self, worker_id: WorkerId, change: Update, action: Action, actor: Actor) -> Drain:
        if "\0" in worker_id:  # which PostgreSQL's texts cannot have
            raise _unknown(worker_id)

        def work(connection: Connection) -> Drain:
            if connection.execute(change).one_or_none() is not None:
                _record(connection, action, worker_id, actor)
            drain = _read_drain(connection, worker_id)
            if drain is None:
                raise _unknown(worker_id)
            return drain

        return await self.database.write(work)


def _unknown(worker_id: WorkerId) -> WorkerUnknown:
    return WorkerUnknown(f"No live worker has the id {worker_id!r}; `ketline workers` lists all.")


def _insert_pause(connection: Connection, scope: PauseScope, reason: str | None, actor: Actor) -> Any:
    values = {"scope": scope, "since": now(), "reason": reason, "owner": actor.owner}
    insert = dialect_of(connection).insert(claim_pauses).values(values)
    return insert.on_conflict_do_nothing(index_elements=[claim_pauses.c.scope]).returning(claim_pauses.c.scope)


def _change_reason(scope: PauseScope, reason: str) -> Update:
    other = func.coalesce(claim_pauses.c.reason, "") != reason
    changed = update(claim_pauses).where(claim_pauses.c.scope == scope, other).values(reason=reason)
    return changed.returning(claim_pauses.c.scope)


@cache
def _select_stops() -> Select[Any]:
    """Selects a row for each pause, and one row without any, with the drain of worker `bound_worker` in each."""
    one = select(literal_column("1").label("one")).subquery("one")
    of_worker = workers.c.worker_id == bindparam("bound_worker", type_=Text())
    always = literal_column("1") == literal_column("1")
    joined = one.outerjoin(workers, of_worker).outerjoin(claim_pauses, always)
    columns = (workers.c.worker_id, workers.c.draining_since, workers.c.drained_at, claim_pauses.c.scope)
    return select(*columns).select_from(joined)


def _set_drain(worker_id: WorkerId, which: Any, **values: Any) -> Update:
    live = (workers.c.worker_id == worker_id, workers.c.live_until > now())
    return update(workers).where(*live, which).values(values).returning(workers.c.worker_id)


def _is_held_by(worker_id: WorkerId) -> Any:
    return (tasks.c.current_status == TaskStatus.PROCESSING) & (tasks.c.lease_owner == worker_id)


def _read_drain(connection: Connection, worker_id: WorkerId) -> Drain | None:
    held = select(func.count()).select_from(tasks).where(_is_held_by(worker_id)).scalar_subquery()
    found = select(workers.c.draining_since, workers.c.drained_at, held.label("held"))
    live = (workers.c.worker_id == worker_id, workers.c.live_until > now())
    row: Any = connection.execute(found.where(*live)).one_or_none()
    if row is None:
        return None
    return Drain(worker_id=worker_id, draining_since=row.draining_since, drained_at=row.drained_at, tasks=row.held)


def _record(connection: Connection, action: Action, target: str, actor: Actor, notes: str | None = None) -> None:
    write_entry(connection, AuditRecord(action=action, actor=actor, target=target, notes=notes))
