"""Store a batch on SQLite with a statement for each table: its one writer is nobody else's meanwhile."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Float, Text, Uuid, bindparam, insert, select
from sqlalchemy.dialects import sqlite

from ketline.db.engine.clock import from_now
from ketline.db.schema.tables import idempotency_keys, status_history, tasks
from ketline.db.tasks.insert import CREATED, SUBMITTING, new_task
from ketline.domain.task import TaskStatus

Asked = Mapping[str, object]

MOST_IN_A_LIST = 1000


def bind_keys(connection: Connection, asked: Sequence[Asked]) -> bool:
    """Bind the keys that are free; whether all of them are these submissions' own now."""
    wanted: dict[Any, object] = {one["key"]: one["task_id"] for one in asked if one["key"] is not None}
    if not wanted:
        return True
    names = ("key", "fingerprint", "task_id", "key_seconds")
    keyed = [{f"asked_{name}": one[name] for name in names} for one in asked if one["key"] is not None]
    connection.execute(_bind_key(), keyed)
    column = idempotency_keys.c
    found = {
        row.key: row.task_id
        for some in _lists(list(wanted))
        for row in connection.execute(select(column.key, column.task_id).where(column.key.in_(some)))
    }
    return found == wanted


def store_tasks(connection: Connection, asked: Sequence[Asked]) -> tuple[Mapping[UUID, datetime], frozenset[UUID]]:
    """Insert those that are not stored yet, with their history; when all of them were submitted, and which are new."""
    ids: list[Any] = [one["task_id"] for one in asked]
    known = set(_submitted(connection, ids))
    if rows := [SUBMITTING.parameters(one) for one in asked if one["task_id"] not in known]:
        connection.execute(_insert_task(), rows)
    stored = _submitted(connection, ids)
    new = frozenset(stored) - known
    if new:
        line = {"status": TaskStatus.PENDING, "notes": CREATED}
        lines = [line | {"task_id": one, "transitioned_at": stored[one]} for one in ids if one in new]
        connection.execute(insert(status_history), lines)
    return stored, new


def _submitted(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, datetime]:
    column = tasks.c
    return {
        row.task_id: row.submitted_at
        for some in _lists(ids)
        for row in connection.execute(select(column.task_id, column.submitted_at).where(column.task_id.in_(some)))
    }


def _lists(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), MOST_IN_A_LIST):
        yield values[start : start + MOST_IN_A_LIST]


@cache
def _insert_task() -> Any:
    return sqlite.insert(tasks).values(new_task(SUBMITTING.one()))


@cache
def _bind_key() -> Any:
    values = {
        "key": bindparam("asked_key", type_=Text()),
        "fingerprint": bindparam("asked_fingerprint", type_=Text()),
        "task_id": bindparam("asked_task_id", type_=Uuid()),
        "expires_at": from_now(bindparam("asked_key_seconds", type_=Float())),
    }
    return sqlite.insert(idempotency_keys).values(values).on_conflict_do_nothing()
