"""Reads what a database says about itself, for `ketline doctor`; it opens a session of its own and writes nothing."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from ketline.db.engine.connector import THROUGH_A_POOLER, Connector
from ketline.db.engine.faults import sqlite_fault, translated
from ketline.domain.errors import DatabaseUnavailable
from ketline.service.diagnosis.servers import DatabaseFacts

TIMEOUT_SECONDS = 3.0
_REVISION = "SELECT version_num FROM alembic_version"
_PAUSES = "SELECT scope, since FROM claim_pauses ORDER BY scope"
_WAITING = "SELECT queue, count(*) FROM tasks WHERE dispatch_due_at IS NOT NULL AND dispatch_count > 0 GROUP BY queue"
_SERVER = """
SELECT current_setting('server_version_num')::int AS version, clock_timestamp() AS at,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only,
    pg_database_size(current_database()) AS size_bytes, current_setting('max_connections')::int AS most,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used
"""
_WORKERS = "SELECT worker_id, queues FROM workers WHERE live_until > now()"
_SQLITE_WORKERS = "SELECT worker_id, queues FROM workers WHERE live_until > strftime('%Y-%m-%d %H:%M:%f000', 'now')"


async def examine_postgresql(url: str) -> DatabaseFacts:
    """The facts about a PostgreSQL database.

    Raises:
        DatabaseUnavailable: it cannot be reached, or rejects the login.
    """
    connect = Connector(url)
    try:
        with translated():
            session: Any = await connect(command_timeout=TIMEOUT_SECONDS, **THROUGH_A_POOLER)
            try:
                return await _examine(session)
            finally:
                session.terminate()
    except DatabaseUnavailable as error:
        hosts = ", ".join(f"{name}:{port}" for name, port in connect.hosts)
        raise type(error)(f"PostgreSQL at {hosts}: {error}") from error


async def _examine(session: Any) -> DatabaseFacts:
    before = datetime.now(UTC)
    server = await session.fetchrow(_SERVER)
    halfway = before + (datetime.now(UTC) - before) / 2

    async def rows(statement: str) -> Sequence[Any]:
        with suppress(asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            found: Sequence[Any] = await session.fetch(statement)
            return found
        return []

    return DatabaseFacts(
        product="PostgreSQL",
        version=divmod(server["version"], 10_000),
        revision=_first(await rows(_REVISION)),
        skew_seconds=(server["at"] - halfway).total_seconds(),
        read_only=server["read_only"],
        size_bytes=server["size_bytes"],
        sessions=(server["used"], server["most"]),
        paused=[(row[0], row[1]) for row in await rows(_PAUSES)],
        workers={row[0]: _queues(row[1]) for row in await rows(_WORKERS)},
        waiting={row[0]: row[1] for row in await rows(_WAITING)},
    )


def examine_sqlite(path: Path) -> DatabaseFacts:
    """The facts about a SQLite database in a file that exists.

    Raises:
        DatabaseUnavailable: it cannot be read, or is no database.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", TIMEOUT_SECONDS, uri=True)) as session:
            session.execute("SELECT count(*) FROM sqlite_master").fetchall()
            return _examine_sqlite(session, path)
    except sqlite3.Error as error:
        raise sqlite_fault(error) from error


def _examine_sqlite(session: sqlite3.Connection, path: Path) -> DatabaseFacts:
    def rows(statement: str) -> Sequence[Any]:
        try:
            return session.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "no such" not in str(error):
                raise
            return []

    log = path.with_name(f"{path.name}-wal")
    return DatabaseFacts(
        product="SQLite",
        version=(sqlite3.sqlite_version_info[0], sqlite3.sqlite_version_info[1]),
        revision=_first(rows(_REVISION)),
        size_bytes=path.stat().st_size,
        log_bytes=log.stat().st_size if log.exists() else 0,
        paused=[(row[0], datetime.fromisoformat(row[1])) for row in rows(_PAUSES)],
        workers={row[0]: _queues(row[1]) for row in rows(_SQLITE_WORKERS)},
        waiting=dict(rows(_WAITING)),
    )


def _first(rows: Sequence[Any]) -> str | None:
    return str(rows[0][0]) if rows else None


def _queues(text: str | None) -> Sequence[str]:
    """The queues of a worker, stored as JSON; a worker that does not say takes simulations."""
    names: Sequence[str] = ["simulate"] if text is None else json.loads(text)
    return names
