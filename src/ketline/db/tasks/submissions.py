"""Stores submissions, one for each idempotency key: new ones in batches, any other in a transaction of its own.

`repository.py` calls it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from ketline.db.engine.dialect import dialect_of
from ketline.db.schema.visibility import key_in
from ketline.db.tasks import insert
from ketline.db.tasks.labels import labels_of, write_labels
from ketline.db.tasks.statements import write_line
from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import IdempotencyKeyReused
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.submission import Accepted, IdempotencyKey, Submission


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """A submission to insert into a project: how long its key is bound, when it is due, and how often it counts as
    dispatched.
    """

    submission: Submission
    project: ProjectName
    key_lifetime: timedelta
    due_in: timedelta
    dispatches: int

    @property
    def key(self) -> str | None:
        """The submission's idempotency key, as it is stored."""
        key = self.submission.idempotency_key
        return None if key is None else key_in(self.project, key.key)

    def values(self) -> dict[str, object]:
        key = self.submission.idempotency_key
        return {
            **insert.submission_values(self.submission),
            "project": self.project,
            "due_seconds": self.due_in.total_seconds(),
            "dispatches": self.dispatches,
            "key": self.key,
            "fingerprint": key.fingerprint if key else None,
            "key_seconds": self.key_lifetime.total_seconds(),
        }


def store_new(connection: Connection, requests: Sequence[InsertRequest]) -> list[Accepted | None]:
    """Inserts tasks; gives None for each whose id is stored or whose key is bound already: `store` decides those."""
    insert_new = _insert_batch if dialect_of(connection).batches else _insert_each
    stored = insert_new(connection, requests)
    submissions = [request.submission for request in requests]
    return [_accepted(one, stored[one.task_id]) if one.task_id in stored else None for one in submissions]


def store_all(connection: Connection, requests: Sequence[InsertRequest]) -> list[Accepted]:
    """Inserts tasks in the caller's transaction; gives the earlier task for each submission that is repeated.

    Raises:
        IdempotencyKeyReused: a key names another submission.
    """
    stored = store_new(connection, requests)
    return [accepted or store(connection, request) for accepted, request in zip(stored, requests, strict=True)]


def store(connection: Connection, request: InsertRequest) -> Accepted:
    """Inserts a task in the caller's transaction, or gives the earlier one that was stored under its key.

    Repeating it after a commit whose response was lost gives the same outcome.

    Raises:
        IdempotencyKeyReused: the key names another submission.
    """
    while True:
        if request.key is not None:
            connection.execute(insert.delete_expired_key(request.key))
        [accepted] = store_new(connection, [request])
        accepted = accepted or _find_earlier(connection, request)
        if accepted is not None:
            return accepted


def find_stored(connection: Connection, requests: Sequence[InsertRequest]) -> list[Accepted | None]:
    """Gives the task that is stored under the key or the id of each request, None where there is none.

    Raises:
        IdempotencyKeyReused: a key names another submission.
    """
    ids = [request.submission.task_id for request in requests if request.key is None]
    times = {row.task_id: row.submitted_at for row in connection.execute(insert.select_stored(ids))} if ids else {}
    return [_stored_as(connection, request, times) for request in requests]


def _stored_as(connection: Connection, request: InsertRequest, times: Mapping[UUID, datetime]) -> Accepted | None:
    submission = request.submission
    if request.key is None:
        at = times.get(submission.task_id)
        return None if at is None else _accepted(submission, at)
    connection.execute(insert.delete_expired_key(request.key))
    return _find_earlier(connection, request)


def _find_earlier(connection: Connection, request: InsertRequest) -> Accepted | None:
    """Gives the task stored under the submission's key or id; frees the key and gives None if that was deleted."""
    submission, stored_key = request.submission, request.key
    key = submission.idempotency_key
    found = None if stored_key is None else connection.execute(insert.select_key(stored_key)).one_or_none()
    if key is not None and found is None:
        return None
    if key is not None and found is not None:
        _require_same(found.fingerprint, key)
    task_id = submission.task_id if found is None else found.task_id
    row = connection.execute(insert.select_accepted(task_id)).one_or_none()
    if row is None:
        if stored_key is not None:
            # The task was deleted by hand.
            connection.execute(insert.delete_key(stored_key))
        return None
    return _accepted(submission, row.submitted_at) if task_id == submission.task_id else _repeated(task_id, row)


def _insert_batch(connection: Connection, requests: Sequence[InsertRequest]) -> Mapping[UUID, datetime]:
    """Inserts all tasks in one statement; gives the times of submission of those that were inserted, by id."""
    values = insert.INSERT_WITH_KEY_PARAMETERS.values([request.values() for request in sorted(requests, key=_key)])
    labelled = any(labels_of(request.submission.spec.labels) for request in requests)
    keyed = any(request.submission.idempotency_key for request in requests)
    statement = insert.insert_tasks(single=len(requests) == 1, keyed=keyed, labelled=labelled)
    return {row.task_id: row.submitted_at for row in statement.run(connection, values)}


def _insert_each(connection: Connection, requests: Sequence[InsertRequest]) -> Mapping[UUID, datetime]:
    """Inserts each task by statements of its own; gives what `_insert_batch` gives."""
    stored = {request.submission.task_id: _insert_one(connection, request) for request in requests}
    return {task_id: at for task_id, at in stored.items() if at is not None}


def _insert_one(connection: Connection, request: InsertRequest) -> datetime | None:
    values, submission = request.values(), request.submission
    if submission.idempotency_key is not None:
        bound = insert.bind_key().one(connection, insert.KEY_PARAMETERS.parameters(values))
        if bound is None:
            return None
    row = insert.insert_task().one(connection, insert.INSERT_PARAMETERS.parameters(values))
    if row is None:
        return None
    at: datetime = row.submitted_at
    write_line(connection, submission.task_id, TaskStatus.PENDING, at, insert.CREATED)
    write_labels(connection, submission.task_id, at, request.project, labels_of(submission.spec.labels))
    return at


def find_accepted(connection: Connection, project: ProjectName, key: IdempotencyKey) -> Accepted | None:
    """The task that the key names in this project, unless it has expired.

    Raises:
        IdempotencyKeyReused: the key names another submission.
    """
    found = connection.execute(insert.select_named(key_in(project, key.key))).one_or_none()
    if found is None:
        return None
    _require_same(found.fingerprint, key)
    return _repeated(found.task_id, found)


def _require_same(fingerprint: str, key: IdempotencyKey) -> None:
    if fingerprint != key.fingerprint:  # guard: key.body
        raise IdempotencyKeyReused("The idempotency key was used for another submission; use a new one.")


def _repeated(task_id: UUID, row: Row[Any]) -> Accepted:
    return Accepted(
        task_id=TaskId(task_id),
        submitted_at=row.submitted_at,
        correlation_id=CorrelationId(row.correlation_id),
        repeated=True,
    )


def _accepted(submission: Submission, submitted_at: datetime) -> Accepted:
    return Accepted(task_id=submission.task_id, submitted_at=submitted_at, correlation_id=submission.correlation_id)


def _key(request: InsertRequest) -> str:
    """Every statement binds keys in this order, so that no two wait for each other."""
    return request.key or ""
