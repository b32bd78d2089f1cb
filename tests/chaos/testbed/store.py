"""Read the service's database from outside, in plain SQL: PostgreSQL while it may be down, SQLite as a file."""

import asyncio
import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from tests.chaos.verdict.records import HistoryLine, MeasuredShare, StoredTask

TIMEOUT_SECONDS = 30.0
# What a session may meet while its server is killed; asyncpg gives the last when it happens in mid-handshake.
DATABASE_DOWN = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
)
_UNFINISHED = "current_status IN ('pending', 'processing')"
_HISTORY = "SELECT task_id, status, transitioned_at, attempt, lease_token, worker_id, notes, cause FROM status_history"
_TASKS = (
    "SELECT task_id, correlation_id, current_status, shots, attempt, lease_token, result, error_code, error_line, "
    "completed_at, lease_expires_at, dispatch_due_at, seed FROM tasks"
)
_SHARE = (
    "SELECT measured_at, (SELECT sum(used_seconds) FROM project_shares WHERE project = 'default' "
    "AND queue = 'simulate') AS used_seconds FROM share_measurements"
)
_COUNTED_SHOTS = "SELECT shots FROM quota_usage WHERE project = 'default' AND owner = ''"


class Store(Protocol):
    """What the harness reads of the database."""

    async def tasks(self) -> Sequence[StoredTask]:
        """Every task with its history."""

    async def unfinished(self, limit: int) -> Sequence[str]:
        """Ids of tasks that have not ended."""

    async def busy_workers(self) -> Sequence[str]:
        """Ids of workers that hold tasks."""


class PostgresStore:
    """The database of a distributed service."""

    def __init__(self, url: str) -> None:
        self._dsn = url.replace("+asyncpg", "")

    async def tasks(self) -> Sequence[StoredTask]:
        async with self.session() as session, session.transaction(isolation="repeatable_read"):
            rows, lines = await session.fetch(_TASKS), await session.fetch(f"{_HISTORY} ORDER BY id")
        return _assemble(map(dict, rows), map(dict, lines))

    async def share(self) -> MeasuredShare | None:
        """The share of the default project; None before the first measurement."""
        async with self.session() as session:
            return _share(await session.fetch(_SHARE))

    async def counted_shots(self) -> int:
        """The shots that quotas of the default project have counted."""
        async with self.session() as session:
            return sum(row["shots"] for row in await session.fetch(_COUNTED_SHOTS))

    async def unfinished(self, limit: int) -> Sequence[str]:
        async with self.session() as session:
            found = await session.fetch(f"SELECT task_id FROM tasks WHERE {_UNFINISHED} LIMIT $1", limit)
        return [str(row["task_id"]) for row in found]

    async def busy_workers(self) -> Sequence[str]:
        async with self.session(timeout_seconds=0.5) as session:
            found = await session.fetch("SELECT lease_owner FROM tasks WHERE current_status = 'processing'")
        return [row["lease_owner"] for row in found]

    async def ended_tasks(self, limit: int) -> Sequence[str]:
        """Ids of tasks that ended last."""
        query = "SELECT task_id FROM tasks WHERE completed_at IS NOT NULL ORDER BY completed_at DESC LIMIT $1"
        async with self.session() as session:
            return [str(row["task_id"]) for row in await session.fetch(query, limit)]

    async def end_sessions(self) -> int:
        """Terminate every session of the service, and give their number."""
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        async with self.session() as session:
            return len(await session.fetch(query))

    async def backends(self) -> Sequence[int]:
        """Process ids of the sessions of the service."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^ketline( pool [0-9]+)?$'"
        async with self.session() as session:
            return [row["pid"] for row in await session.fetch(query)]

    async def transactions_left_open(self, seconds: float) -> Sequence[str]:
        """Sessions that have held an idle transaction for longer."""
        query = (
            "SELECT pid, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
            "AND now() - state_change > $1 * interval '1 second'"
        )
        async with self.session() as session:
            return [f"{row['pid']}: {row['query'][:80]}" for row in await session.fetch(query, seconds)]

    @asynccontextmanager
    async def every_free_session(self) -> AsyncIterator[int]:
        """Hold every session that the server still gives; how many it were."""
        taken: list[Any] = []
        try:
            try:
                while True:
                    taken.append(await asyncpg.connect(self._dsn, timeout=5))
            except (*DATABASE_DOWN,):
                yield len(taken)
        finally:
            for connection in taken:
                connection.terminate()

    @asynccontextmanager
    async def session(self, timeout_seconds: float = TIMEOUT_SECONDS) -> AsyncIterator[Any]:
        """A session of the harness's own, as soon as the server takes one.

        Raises:
            DATABASE_DOWN: it takes none, or ends while in use.
        """
        connection = await self._connect(time.monotonic() + timeout_seconds)
        try:
            yield connection
        finally:
            connection.terminate()

    async def _connect(self, deadline: float) -> Any:
        while True:
            try:
                return await asyncpg.connect(self._dsn, timeout=5, command_timeout=30)
            except DATABASE_DOWN:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)


class SqliteStore:
    """The database of an embedded service."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def tasks(self) -> Sequence[StoredTask]:
        return await asyncio.to_thread(
            lambda: _assemble(iter(self._read(_TASKS)), iter(self._read(f"{_HISTORY} ORDER BY id")))
        )

    async def share(self) -> MeasuredShare | None:
        """The share of the default project; None before the first measurement."""
        return _share(await asyncio.to_thread(self._read, _SHARE))

    async def counted_shots(self) -> int:
        """The shots that quotas of the default project have counted."""
        return sum(row["shots"] for row in await asyncio.to_thread(self._read, _COUNTED_SHOTS))

    async def unfinished(self, limit: int) -> Sequence[str]:
        query = f"SELECT task_id FROM tasks WHERE {_UNFINISHED} LIMIT {limit:d}"
        return [_identifier(row["task_id"]) or "" for row in await asyncio.to_thread(self._read, query)]

    async def busy_workers(self) -> Sequence[str]:
        query = "SELECT lease_owner FROM tasks WHERE current_status = 'processing'"
        return [str(row["lease_owner"]) for row in await asyncio.to_thread(self._read, query)]

    def _read(self, query: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]


def _share(rows: Sequence[Mapping[str, Any]]) -> MeasuredShare | None:
    for row in rows:
        if (at := _moment(row["measured_at"])) is not None:
            return MeasuredShare(used_seconds=row["used_seconds"] or 0.0, measured_at=at)
    return None


def _assemble(rows: Any, lines: Any) -> Sequence[StoredTask]:
    histories: dict[str, list[HistoryLine]] = defaultdict(list)
    for line in lines:
        histories[str(_identifier(line["task_id"]))].append(_line(line))
    return [_task(row, histories[str(_identifier(row["task_id"]))]) for row in rows]


def _task(row: Mapping[str, Any], history: Sequence[HistoryLine]) -> StoredTask:
    result = json.loads(row["result"]) if row["result"] is not None else None
    return StoredTask(
        task_id=str(_identifier(row["task_id"])),
        correlation_id=row["correlation_id"],
        status=row["current_status"],
        shots=row["shots"],
        attempt=row["attempt"],
        token=_identifier(row["lease_token"]),
        counts=result.get("counts", {}) if result else None,
        error_code=row["error_code"],
        error_line=row["error_line"],
        completed_at=_moment(row["completed_at"]),
        lease_expires_at=_moment(row["lease_expires_at"]),
        dispatch_due_at=_moment(row["dispatch_due_at"]),
        history=history,
        seed=row["seed"],
    )


def _line(row: Mapping[str, Any]) -> HistoryLine:
    at = _moment(row["transitioned_at"])
    assert at is not None
    return HistoryLine(
        status=row["status"],
        at=at,
        attempt=row["attempt"],
        token=_identifier(row["lease_token"]),
        worker=row["worker_id"],
        notes=row["notes"],
        cause=row["cause"],
    )


def _identifier(value: object) -> str | None:
    """PostgreSQL gives a UUID, SQLite its 32 digits."""
    return None if value is None else str(UUID(str(value)))


def _moment(value: object) -> datetime | None:
    """PostgreSQL gives an aware time, SQLite text in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value if isinstance(value, datetime) else None
