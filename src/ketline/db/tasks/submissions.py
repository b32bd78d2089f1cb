"""Store submissions, one for each idempotency key: new ones together, a doubtful one in a transaction of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from ketline.db.tasks import insert
from ketline.db.tasks.bulk_insert import bind_keys, store_tasks
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
    """Insert tasks in one statement; None for one that is not new, or whose key is not: it is for `store`."""
    asked = insert.SUBMITTING_TOGETHER.arrays([request.asked() for request in sorted(requests, key=_key)])
    submissions = [request.submission for request in requests]
    statement = insert.insert_tasks(labelled=any(labels_of(one.spec.labels) for one in submissions))
    stored = {row.task_id: row.submitted_at for row in statement.run(connection, asked)}
    return [_accepted(one, stored[one.task_id]) if one.task_id in stored else None for one in submissions]


def store_all(connection: Connection, requests: Sequence[Storing], *, postgres: bool) -> list[Accepted]:
    """Insert tasks in the transaction of the caller; those that turn out not to be new are what they were made before.

    Raises:
        IdempotencyKeyReused: a key names another submission.
    """
    stored = store_new(connection, requests) if postgres else _store_apart(connection, requests)
    return [
        accepted or store(connection, request, postgres=postgres)
        for accepted, request in zip(stored, requests, strict=True)
    ]


def _store_apart(connection: Connection, requests: Sequence[Storing]) -> Sequence[Accepted | None]:
    """As `store_new`, on SQLite."""
    asked = [request.asked() for request in requests]
    if not bind_keys(connection, asked):
        return [None] * len(requests)
    stored, new = store_tasks(connection, asked)
    submissions = [request.submission for request in requests]
    for one in submissions:
        if one.task_id in new:
            write_labels(connection, one.task_id, stored[one.task_id], labels_of(one.spec.labels))
    return [_accepted(one, stored[one.task_id]) for one in submissions]


def store(connection: Connection, storing: Storing, *, postgres: bool) -> Accepted:
    """Insert the task, or give the one that was made under its key before.

    Repeating it after a commit whose answer was lost gives the same outcome.

    Raises:
        IdempotencyKeyReused: the key names another submission.
    """
    submission = storing.submission
    if submission.idempotency_key is not None:
        earlier = _take_key(connection, submission, submission.idempotency_key, postgres, storing.key_lifetime)
        if earlier is not None:
            return earlier
    asked = insert.SUBMITTING.parameters(storing.asked())
    row = insert.insert_task(postgres=postgres).one(connection, asked)
    if row is None:
        row = connection.execute(insert.select_accepted(submission.task_id)).one()
    else:
        write_line(connection, submission.task_id, TaskStatus.PENDING, row.submitted_at, insert.CREATED)
        write_labels(connection, submission.task_id, row.submitted_at, labels_of(submission.spec.labels))
    return _accepted(submission, row.submitted_at)


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


def _take_key(
    connection: Connection,
    submission: Submission,
    key: IdempotencyKey,
    postgres: bool,
    lifetime: timedelta,
) -> Accepted | None:
    """The task the key names already, or None once it names this submission."""
    take = insert.take_key(key, submission.task_id, lifetime, postgres=postgres)
    if connection.execute(take).one_or_none() is not None:
        return None
    found = connection.execute(insert.select_key(key.key)).one()
    _require_same(found.fingerprint, key)
    if found.task_id == submission.task_id:
        return None
    row = connection.execute(insert.select_accepted(found.task_id)).one_or_none()
    if row is None:
        # The task was deleted by hand: the key is free for a new one.
        connection.execute(insert.delete_key(key.key))
        connection.execute(take)
        return None
    return _repeated(found.task_id, row)


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
