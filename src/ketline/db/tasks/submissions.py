"""Store submissions, one for each idempotency key: new ones together, a doubtful one in a transaction of its own."""

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
class Storing:
    """A submission, for how long its key is bound, when it is due, and how often it counts as dispatched."""

    submission: Submission
    key_lifetime: timedelta
    due_in: timedelta
    dispatches: int

    def asked(self) -> dict[str, object]:
        key = self.submission.idempotency_key
        return {
            **insert.asked_of(self.submission),
            "due_seconds": self.due_in.total_seconds(),
            "dispatches": self.dispatches,
            "key": key.key if key else None,
            "fingerprint": key.fingerprint if key else None,
            "key_seconds": self.key_lifetime.total_seconds(),
        }


def store_new(connection: Connection, requests: Sequence[Storing]) -> list[Accepted | None]:
    """Insert tasks; None for one that is stored already, or whose key is bound: it is for `store`."""
    insert_new = _insert_batch if dialect_of(connection).batches else _insert_each
    stored = insert_new(connection, requests)
    submissions = [request.submission for request in requests]
    return [_accepted(one, stored[one.task_id]) if one.task_id in stored else None for one in submissions]


def store_all(connection: Connection, requests: Sequence[Storing]) -> list[Accepted]:
    """Insert tasks in the transaction of the caller; those that turn out not to be new are what they were made before.

    Raises:
        IdempotencyKeyReused: a key names another submission.
    """
    stored = store_new(connection, requests)
    return [accepted or store(connection, request) for accepted, request in zip(stored, requests, strict=True)]


def store(connection: Connection, request: Storing) -> Accepted:
    """Insert the task, or give the one that was made under its key before, in the transaction of the caller.

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
    """The task that is stored under the submission's key or id; None where it was deleted, and the key is free now."""
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


def _insert_batch(connection: Connection, requests: Sequence[Storing]) -> Mapping[UUID, datetime]:
    """Insert all in one statement; when those were submitted that are stored now."""
    asked = insert.SUBMITTING_TOGETHER.arrays([request.asked() for request in sorted(requests, key=_key)])
    labelled = any(labels_of(request.submission.spec.labels) for request in requests)
    return {row.task_id: row.submitted_at for row in insert.insert_tasks(labelled=labelled).run(connection, asked)}


def _insert_each(connection: Connection, requests: Sequence[Storing]) -> Mapping[UUID, datetime]:
    """As `_insert_batch`, with a few statements for each task."""
    stored = {request.submission.task_id: _insert_one(connection, request) for request in requests}
    return {task_id: at for task_id, at in stored.items() if at is not None}


def _insert_one(connection: Connection, request: Storing) -> datetime | None:
    asked, submission = request.asked(), request.submission
    if submission.idempotency_key is not None:
        bound = insert.bind_key().one(connection, insert.BINDING.parameters(asked))
        if bound is None:
            return None
    row = insert.insert_task().one(connection, insert.SUBMITTING.parameters(asked))
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


def _key(request: Storing) -> str:
    """Keys are taken in one order by all: no two statements wait for each other."""
    key = request.submission.idempotency_key
    return key.key if key else ""
