"""Interventions of administrators in single tasks of any project: requeue one, and fail one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, and_, or_, select, update

from ketline.db.audit import write_entry
from ketline.db.engine.clock import now
from ketline.db.engine.database import Database
from ketline.db.notify.notifications import NullNotifier
from ketline.db.schema.columns import attempt_columns
from ketline.db.schema.tables import tasks, workers
from ketline.db.tasks.hold import is_held
from ketline.db.tasks.statements import due_again, ended_on_request, write_line
from ketline.domain.access.audit import Action, Actor, AuditRecord, task_record
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Lease
from ketline.domain.attempts.interventions import Requeued
from ketline.domain.errors import TaskEnded, TaskNotFound, TaskRunning, TaskWaits
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change
from ketline.ports.tasks.notifier import Notifier

REQUEUED = "requeued"


@dataclass(frozen=True, slots=True)
class SqlTaskInterventions:
    """The `TaskInterventions` on a database."""

    database: Database
    notifier: Notifier = field(default_factory=NullNotifier)

    async def requeue(self, task_id: TaskId, actor: Actor, *, force: bool = False) -> Requeued:
        def work(connection: Connection) -> Requeued:
            row = _locked(connection, task_id)
            status: TaskStatus = row.current_status
            if status.terminal:
                raise TaskEnded(f"Task {task_id} is {status}: there is nothing to requeue.", status=status)
            if status is TaskStatus.PENDING:
                _require_runnable(task_id, row)
                connection.execute(_make_due(task_id))
                done = Requeued.PUBLISHED
            else:
                if not force:
                    _require_lost(task_id, row)  # guard: requeue.lost
                connection.execute(_make_due(task_id))
                notes = f"Attempt {row.attempt} was taken back from {row.lease_owner} by an administrator; queued again"
                write_line(connection, task_id, TaskStatus.PENDING, row.at, notes, **_ended(task_id, row, REQUEUED))
                done = Requeued.TAKEN_BACK
            write_entry(connection, _record(Action.TASK_REQUEUED, actor, row, done))
            return done

        done = await self.database.write(work)
        self.notifier.notify(Change(task_id=task_id, status=TaskStatus.PENDING))
        return done

    async def lost(self, *, force: bool = False) -> Sequence[TaskId]:
        statement = select(tasks.c.task_id).where(tasks.c.current_status == TaskStatus.PROCESSING)
        if not force:
            statement = statement.where(or_(tasks.c.lease_expires_at < now(), ~_worker_is_alive()))
        rows = await self.database.read(lambda connection: connection.execute(statement).scalars().all())
        return [TaskId(task_id) for task_id in rows]

    async def fail(self, task_id: TaskId, reason: str, actor: Actor) -> None:
        code = FailureCode.FAILED_BY_ADMINISTRATOR

        def work(connection: Connection) -> None:
            row = _locked(connection, task_id)
            status: TaskStatus = row.current_status
            if row.error_code == code:
                return
            if status.terminal:  # guard: fail.ended
                raise TaskEnded(f"Task {task_id} is {status}: its outcome cannot change.", status=status)
            connection.execute(_fail(task_id, reason))
            columns = _ended(task_id, row, code) if status is TaskStatus.PROCESSING else {}
            notes = f"Failed by an administrator: {reason}"
            write_line(connection, task_id, TaskStatus.FAILED, row.at, notes, **columns)
            write_entry(connection, _record(Action.TASK_FAILED, actor, row, reason))

        await self.database.write(work)
        self.notifier.notify(Change(task_id=task_id, status=TaskStatus.FAILED))


def _locked(connection: Connection, task_id: TaskId) -> Row[Any]:
    row = connection.execute(_lock(task_id)).one_or_none()
    if row is None:
        raise TaskNotFound(f"Task {task_id} was not found; check the id.")
    return row


def _lock(task_id: UUID) -> Select[Any]:
    return (
        select(
            *(tasks.c.task_id, tasks.c.project, tasks.c.current_status, tasks.c.error_code, tasks.c.attempt),
            *(tasks.c.lease_token, tasks.c.lease_owner, tasks.c.lease_expires_at, tasks.c.claimed_at),
            tasks.c.scheduled_for,
            is_held().label("held"),
            _worker_is_alive().label("alive"),
            now().label("at"),
        )
        .where(tasks.c.task_id == task_id)
        .with_for_update(of=tasks)
    )


def _worker_is_alive() -> ColumnElement[bool]:
    """Whether the worker of a task sends heartbeats."""
    alive = and_(workers.c.worker_id == tasks.c.lease_owner, workers.c.live_until > now())
    return select(workers.c.worker_id).where(alive).correlate(tasks).exists()


def _require_runnable(task_id: TaskId, row: Row[Any]) -> None:
    status: TaskStatus = row.current_status
    if row.held:
        raise TaskWaits(f"Task {task_id} is held: release it with `ketline enqueue`.", status=status)
    scheduled_for: datetime | None = row.scheduled_for
    if scheduled_for is not None and scheduled_for > row.at:
        at = scheduled_for.isoformat(timespec="seconds")
        raise TaskWaits(f"Task {task_id} is scheduled for {at}: change its schedule to run it now.", status=status)


def _require_lost(task_id: TaskId, row: Row[Any]) -> None:
    """Check that no live worker renews the lease of a task."""
    left: timedelta = row.lease_expires_at - row.at
    if row.alive and left >= timedelta():
        raise TaskRunning(
            f"Task {task_id} is running on {row.lease_owner}, which is alive; its lease ends in "
            f"{left.total_seconds():.0f} s unless it is renewed. Cancel the task, stop the worker, or use force.",
            status=row.current_status,
        )


def _make_due(task_id: UUID) -> Update:
    return update(tasks).where(tasks.c.task_id == task_id).values(due_again())


def _fail(task_id: UUID, reason: str) -> Update:
    message = f"An administrator of the service ended the task: {reason}"
    ended = ended_on_request(TaskStatus.FAILED, FailureCode.FAILED_BY_ADMINISTRATOR, message)
    return update(tasks).where(tasks.c.task_id == task_id).values(ended)


def _ended(task_id: TaskId, row: Row[Any], cause: str) -> dict[str, object]:
    lease = Lease(task_id=task_id, attempt=row.attempt, token=row.lease_token, worker_id=row.lease_owner)
    return attempt_columns(lease, row.at - row.claimed_at, cause)


def _record(action: Action, actor: Actor, row: Row[Any], notes: str) -> AuditRecord:
    return replace(task_record(action, actor, ProjectName(row.project), row.task_id), notes=notes)
