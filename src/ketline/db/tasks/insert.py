"""SQL of a submission: the task, and the idempotency key it may come under."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Delete,
    Float,
    Integer,
    Select,
    Text,
    Uuid,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.sql.dml import ReturningInsert

from ketline.db.engine.bind_parameters import Asking
from ketline.db.engine.clock import from_now, later, now
from ketline.db.engine.dialect import POSTGRESQL, SQLITE
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.spec import SPEC_COLUMNS, spec_values
from ketline.db.schema.tables import idempotency_keys, status_history, tasks
from ketline.db.tasks.labels import label_stored
from ketline.db.tasks.rank import rank
from ketline.domain.task import Submission, TaskStatus

CREATED = "Task created and queued"
SUBMITTING = Asking(
    task_id=Uuid(),
    correlation_id=Text(),
    trace_context=Text(),
    rerun_of=Uuid(),
    **{column.name: column.type for column in SPEC_COLUMNS},
    due_seconds=Float(),
    dispatches=Integer(),
)
_KEY = {"key": Text(), "fingerprint": Text(), "key_seconds": Float()}
SUBMITTING_TOGETHER = SUBMITTING.and_of(**_KEY)
BINDING = Asking(**_KEY, task_id=Uuid())


def asked_of(submission: Submission) -> dict[str, object]:
    """The values of a submission for columns of `SUBMITTING`."""
    return {
        "task_id": submission.task_id,
        "correlation_id": submission.correlation_id,
        "trace_context": submission.trace_context,
        "rerun_of": submission.rerun_of,
        **spec_values(submission.spec),
    }


@cache
def insert_task() -> Prepared:
    """Store a submission; no row comes back when its id is stored already, which makes a repeat harmless."""
    return Prepared(_unless_stored(SQLITE.insert(tasks).values(new_task(SUBMITTING.one()))))


@cache
def insert_tasks(*, labelled: bool) -> Prepared:
    """Store submissions whose key is free, if they have one, with their history; gives those that were stored.

    Unless it is for `labelled` ones, it leaves names and tags out of what tasks are found by.

    A key that is bound, even if it has expired, and an id that is stored already, make a submission wait for a
    transaction of its own.
    """
    asked = SUBMITTING_TOGETHER.all()
    keys = select(*_bound_key(asked).values()).where(asked.key.is_not(None))
    into = POSTGRESQL.insert(idempotency_keys).from_select(list(_bound_key(asked)), keys)
    bound = _unless_bound(into).cte("bound")
    new = new_task(asked)
    free = or_(asked.key.is_(None), asked.task_id.in_(select(bound.c.task_id)))
    rows = select(*new.values()).where(free)  # guard: key.first
    stored = _unless_stored(POSTGRESQL.insert(tasks).from_select(list(new), rows)).cte("stored")
    status = literal(TaskStatus.PENDING, status_history.c.status.type)
    lines = select(stored.c.task_id, status, stored.c.submitted_at, literal(CREATED))
    noted = insert(status_history).from_select(["task_id", "status", "transitioned_at", "notes"], lines).cte("noted")
    added = (noted, label_stored(stored)) if labelled else (noted,)
    return Prepared(select(stored.c.task_id, stored.c.submitted_at).add_cte(*added))


def new_task(asked: Any) -> dict[str, Any]:
    """The columns of a task as it is stored first."""
    return {
        "task_id": asked.task_id,
        "correlation_id": asked.correlation_id,
        "trace_context": asked.trace_context,
        "rerun_of": asked.rerun_of,
        **{column.name: getattr(asked, column.name) for column in SPEC_COLUMNS},
        "current_status": literal(TaskStatus.PENDING, tasks.c.current_status.type),
        "submitted_at": now(),
        "rank_at": rank(now(), asked.scheduled_for, asked.priority),
        "overtakes": asked.priority > 0,
        "available_at": later(asked.scheduled_for, now()),  # guard: schedule.available
        "dispatch_due_at": later(asked.scheduled_for, from_now(asked.due_seconds)),  # guard: submit.due, schedule.due
        "dispatch_count": asked.dispatches,
    }


def _unless_stored(into: Any) -> ReturningInsert[Any]:
    once = into.on_conflict_do_nothing(index_elements=[tasks.c.task_id])  # guard: submit.repeat
    columns = (tasks.c.task_id, tasks.c.submitted_at, tasks.c.name, tasks.c.tags)
    statement: ReturningInsert[Any] = once.returning(*columns)
    return statement


@cache
def bind_key() -> Prepared:
    """Bind a key to a task; no row comes back when it is bound already, even if it has expired."""
    return Prepared(_unless_bound(SQLITE.insert(idempotency_keys).values(_bound_key(BINDING.one()))))


def _bound_key(asked: Any) -> dict[str, Any]:
    return {
        "key": asked.key,
        "fingerprint": asked.fingerprint,
        "task_id": asked.task_id,
        "expires_at": from_now(asked.key_seconds),
    }


def _unless_bound(into: Any) -> ReturningInsert[Any]:
    """A concurrent transaction that binds the same key waits here until this one is decided."""
    once = into.on_conflict_do_nothing(index_elements=[idempotency_keys.c.key])
    statement: ReturningInsert[Any] = once.returning(idempotency_keys.c.task_id)
    return statement


def select_key(key: str) -> Select[Any]:
    return select(idempotency_keys.c.fingerprint, idempotency_keys.c.task_id).where(idempotency_keys.c.key == key)


def select_named(key: str) -> Select[Any]:
    """The task that a key names which has not expired."""
    columns = (idempotency_keys.c.fingerprint, tasks.c.task_id, tasks.c.submitted_at, tasks.c.correlation_id)
    joined = select(*columns).join_from(idempotency_keys, tasks, idempotency_keys.c.task_id == tasks.c.task_id)
    return joined.where(idempotency_keys.c.key == key, idempotency_keys.c.expires_at > now())


def delete_key(key: str) -> Delete:
    return delete(idempotency_keys).where(idempotency_keys.c.key == key)


def delete_expired_key(key: str) -> Delete:
    return delete(idempotency_keys).where(
        idempotency_keys.c.key == key,
        idempotency_keys.c.expires_at <= now(),  # guard: key.bound
    )


def delete_expired_keys(limit: int) -> Delete:
    expired = select(idempotency_keys.c.key).where(idempotency_keys.c.expires_at <= now()).limit(limit)
    return delete(idempotency_keys).where(idempotency_keys.c.key.in_(expired))


def select_accepted(task_id: UUID) -> Select[Any]:
    return select(tasks.c.submitted_at, tasks.c.correlation_id).where(tasks.c.task_id == task_id)


@cache
def count_pending(limit: int) -> Select[int]:
    """Counts no further than `limit`, so that it stays quick however long the queue is."""
    some = select(tasks.c.task_id).where(tasks.c.current_status == TaskStatus.PENDING).limit(limit).subquery()
    return select(func.count()).select_from(some)
