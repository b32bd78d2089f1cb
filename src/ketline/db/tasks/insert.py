"""SQL of a submission: inserts the task, and binds its idempotency key if it has one.

`submissions.py` runs it; `repository.py` counts pending tasks and deletes expired keys by it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
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

from ketline.db.engine.bind_parameters import BindParameters
from ketline.db.engine.clock import from_now, later, now
from ketline.db.engine.dialect import POSTGRESQL, SQLITE
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.spec import SPEC_COLUMNS, spec_values
from ketline.db.schema.tables import idempotency_keys, status_history, tasks
from ketline.db.tasks.hold import never_if
from ketline.db.tasks.labels import insert_labels
from ketline.db.tasks.rank import rank
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import queue_of
from ketline.domain.tasks.submission import Submission

CREATED = "Task created and queued"
INSERT_PARAMETERS = BindParameters(
    task_id=Uuid(),
    correlation_id=Text(),
    trace_context=Text(),
    rerun_of=Uuid(),
    project=Text(),
    owner=Text(),
    queue=Text(),
    device_digest=Text(),
    noise_digest=Text(),
    task_type=Text(),
    wait_for_completion=Boolean(),
    callback_due=Boolean(),
    **{column.name: column.type for column in SPEC_COLUMNS},
    due_seconds=Float(),
    dispatches=Integer(),
)
_KEY = {"key": Text(), "fingerprint": Text(), "key_seconds": Float()}
INSERT_WITH_KEY_PARAMETERS = INSERT_PARAMETERS.with_columns(**_KEY)
KEY_PARAMETERS = BindParameters(**_KEY, task_id=Uuid())


def submission_values(submission: Submission) -> dict[str, object]:
    """The values of a submission for columns of `INSERT_PARAMETERS`."""
    noise = submission.spec.options.noise
    return {
        "task_id": submission.task_id,
        "correlation_id": submission.correlation_id,
        "trace_context": submission.trace_context,
        "rerun_of": submission.rerun_of,
        "owner": submission.owner,
        "queue": queue_of(submission.spec).name,
        "device_digest": device.digest if (device := submission.spec.options.device) else None,
        "noise_digest": noise.digest if isinstance(noise, StoredNoise) else None,
        "task_type": submission.task_type,
        "wait_for_completion": submission.wait_for_completion or None,
        "callback_due": submission.spec.callback is not None or submission.project_callback or None,
        **spec_values(submission.spec),
    }


@cache
def insert_task() -> Prepared:
    """Inserts a task; returns no row when its id is stored already, so that a repeat is harmless."""
    return Prepared(_unless_stored(SQLITE.insert(tasks).values(new_task(INSERT_PARAMETERS.one()))))


@cache
def insert_tasks(*, single: bool, keyed: bool, labelled: bool) -> Prepared:
    """Inserts tasks without a key or with a key that is free, with their history; returns those it inserted.

    Only if some are `keyed` it binds their keys, and only if some are `labelled` it inserts their names and tags into
    `task_labels`. It skips a submission whose key is bound, even if that has expired, or whose id is stored already.
    """
    request = INSERT_WITH_KEY_PARAMETERS.some(single=single)
    new = new_task(request)
    rows = select(*new.values())
    if keyed:
        rows = rows.where(_is_free(request))  # guard: key.first
    stored = _unless_stored(POSTGRESQL.insert(tasks).from_select(list(new), rows)).cte("stored")
    status = literal(TaskStatus.PENDING, status_history.c.status.type)
    lines = select(stored.c.task_id, status, stored.c.submitted_at, literal(CREATED))
    noted = insert(status_history).from_select(["task_id", "status", "transitioned_at", "notes"], lines).cte("noted")
    added = (noted, insert_labels(stored)) if labelled else (noted,)
    return Prepared(select(stored.c.task_id, stored.c.submitted_at).add_cte(*added))


def new_task(request: Any) -> dict[str, Any]:
    """The columns of a new task."""
    available_at = later(request.scheduled_for, now())  # guard: schedule.available
    # guard: submit.due, schedule.due
    due_at = later(request.scheduled_for, from_now(request.due_seconds))
    return {
        "task_id": request.task_id,
        "correlation_id": request.correlation_id,
        "trace_context": request.trace_context,
        "rerun_of": request.rerun_of,
        "project": request.project,
        "owner": request.owner,
        "queue": request.queue,
        "device_digest": request.device_digest,
        "noise_digest": request.noise_digest,
        "task_type": request.task_type,
        "wait_for_completion": request.wait_for_completion,
        "callback_due": request.callback_due,  # guard: callback.due
        **{column.name: getattr(request, column.name) for column in SPEC_COLUMNS},
        "current_status": literal(TaskStatus.PENDING, tasks.c.current_status.type),
        "submitted_at": now(),
        "rank_at": rank(now(), request.scheduled_for, request.priority),
        "overtakes": request.priority > 0,
        "available_at": never_if(request.hold, available_at),  # guard: hold.available
        "dispatch_due_at": never_if(request.hold, due_at),  # guard: hold.due
        "dispatch_count": request.dispatches,
    }


def _unless_stored(into: Any) -> ReturningInsert[Any]:
    once = into.on_conflict_do_nothing(index_elements=[tasks.c.task_id])  # guard: submit.repeat
    columns = (tasks.c.task_id, tasks.c.submitted_at, tasks.c.project, tasks.c.name, tasks.c.tags)
    statement: ReturningInsert[Any] = once.returning(*columns)
    return statement


def _is_free(request: Any) -> ColumnElement[bool]:
    """Whether a request has no key, or one that its statement binds."""
    keys = select(*_bound_key(request).values()).where(request.key.is_not(None))
    into = POSTGRESQL.insert(idempotency_keys).from_select(list(_bound_key(request)), keys)
    bound = _unless_bound(into).cte("bound")
    return or_(request.key.is_(None), request.task_id.in_(select(bound.c.task_id)))


@cache
def bind_key() -> Prepared:
    """Binds a key to a task; returns no row if the key is bound already, even if it has expired."""
    return Prepared(_unless_bound(SQLITE.insert(idempotency_keys).values(_bound_key(KEY_PARAMETERS.one()))))


def _bound_key(request: Any) -> dict[str, Any]:
    return {
        "key": request.key,
        "fingerprint": request.fingerprint,
        "task_id": request.task_id,
        "expires_at": from_now(request.key_seconds),
    }


def _unless_bound(into: Any) -> ReturningInsert[Any]:
    """Does nothing if the key is bound; a concurrent transaction that binds it waits until this one is decided."""
    once = into.on_conflict_do_nothing(index_elements=[idempotency_keys.c.key])
    statement: ReturningInsert[Any] = once.returning(idempotency_keys.c.task_id)
    return statement


def select_key(key: str) -> Select[Any]:
    return select(idempotency_keys.c.fingerprint, idempotency_keys.c.task_id).where(idempotency_keys.c.key == key)


def select_named(key: str) -> Select[Any]:
    """Selects the task that a key names, unless the key has expired."""
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


def select_stored(task_ids: Sequence[UUID]) -> Select[Any]:
    """Selects the times of submission of those of these tasks that are stored."""
    return select(tasks.c.task_id, tasks.c.submitted_at).where(tasks.c.task_id.in_(task_ids))


@cache
def count_pending(limit: int) -> Select[int]:
    """Counts pending tasks up to `limit`, so that it is fast however long the queue is."""
    some = select(tasks.c.task_id).where(tasks.c.current_status == TaskStatus.PENDING).limit(limit).subquery()
    return select(func.count()).select_from(some)
