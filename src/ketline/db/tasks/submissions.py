"""Stores submissions, one for each idempotency key: new ones in batches, any other in a transaction of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from ketline.db.engine.dialect import dialect_of
from ketline.db.tasks import insert
from ketline.db.tasks.labels import labels_of, write_labels
from ketline.db.tasks.statements import write_line
from ketline.domain.errors import IdempotencyKeyReused
from ketline.domain.task import Accepted, CorrelationId, IdempotencyKey, Submission, TaskId, TaskStatus


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """A submission to insert: how long its key is bound, when it is due, and how often it counts as dispatched."""

    submission: Submission
    key_lifetime: timedelta
    due_in: timedelta
    dispatches: int

    def values(self) -> dict[str, object]:
        key = self.submission.idempotency_key
        return {
            **insert.submission_values(self.submission),
            "due_seconds": self.due_in.total_seconds(),
            "dispatches": self.dispatches,
            "key": key.key if key else None,
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

    Repeating it after a commit whose answer was lost gives the same outcome.

    Raises:
        IdempotencyKeyReused: the key names another submission.
    """
    submission = request.submission
    key = submission.idempotency_key
    while True:
        if key is not None:
            connection.execute(insert.delete_expired_key(key.key))
        [accepted] = store_new(connection, [request])
        accepted = accepted or _find_earlier(connection, submission)
        if accepted is not None:
            return accepted


def _find_earlier(connection: Connection, submission: Submission) -> Accepted | None:
    """Gives the task stored under the submission's key or id; frees the key and gives None if that was deleted."""
    key = submission.idempotency_key
    found = None if key is None else connection.execute(insert.select_key(key.key)).one_or_none()
    if key is not None and found is None:
        return None
    if key is not None and found is not None:
        _require_same(found.fingerprint, key)
    task_id = submission.task_id if found is None else found.task_id
    row = connection.execute(insert.select_accepted(task_id)).one_or_none()
    if row is None:
        if key is not None:
            # The task was deleted by hand.
            connection.execute(insert.delete_key(key.key))
        return None
    return _accepted(submission, row.submitted_at) if task_id == submission.task_id else _repeated(task_id, row)


def _insert_batch(connection: Connection, requests: Sequence[InsertRequest]) -> Mapping[UUID, datetime]:
    """Inserts all tasks in one statement; gives the times of submission of those that were inserted, by id."""
    values = insert.INSERT_WITH_KEY_PARAMETERS.arrays([request.values() for request in sorted(requests, key=_key)])
    labelled = any(labels_of(request.submission.spec.labels) for request in requests)
    return {row.task_id: row.submitted_at for row in insert.insert_tasks(labelled=labelled).run(connection, values)}


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
    write_labels(connection, submission.task_id, at, labels_of(submission.spec.labels))
    return at


def find_accepted(connection: Connection, key: IdempotencyKey) -> Accepted | None:
    """The task that the key names, unless it has expired.

    Raises:
        IdempotencyKeyReused: the key names another submission.
    """
    found = connection.execute(insert.select_named(key.key)).one_or_none()
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
    key = request.submission.idempotency_key
    return key.key if key else ""
