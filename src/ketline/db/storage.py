"""The space of a database: VACUUM, in a session of its own and without a time limit."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import make_url

from ketline.db.engine.connector import THROUGH_A_POOLER, Connector
from ketline.db.engine.faults import sqlite_fault, translated
from ketline.ports.operations.storage import StorageUse

T = TypeVar("T")

# Writers of the service hold the lock for milliseconds, a backup's reader holds none.
BUSY_SECONDS = 30.0
_DEAD_ROWS = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables"


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite database, None for the URL of another one."""
    return Path(make_url(url).database or "") if url.startswith("sqlite") else None


@dataclass(frozen=True, slots=True)
class PostgresqlStorage:
    """The `DatabaseStorage` of a PostgreSQL database, reached without a pooler."""

    connect: Connector

    async def measure(self) -> StorageUse:
        total = await self._run("fetchval", "SELECT pg_database_size(current_database())")
        return StorageUse(int(total), dead_rows=int(await self._run("fetchval", _DEAD_ROWS)))

    async def vacuum(self) -> None:
        await self._run("execute", "VACUUM (ANALYZE)")

    async def _run(self, method: str, statement: str) -> int:
        with translated():
            session = await self.connect(**THROUGH_A_POOLER)
            try:
                result: int = await getattr(session, method)(statement)
                return result
            finally:
                await session.close(timeout=5.0)


@dataclass(frozen=True, slots=True)
class SqliteStorage:
    """The `DatabaseStorage` of a SQLite database in a file."""

    path: Path

    async def measure(self) -> StorageUse:
        return await self._run(self._measure)

    async def vacuum(self) -> None:
        await self._run(self._vacuum)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            try:
                with closing(sqlite3.connect(self.path, BUSY_SECONDS, isolation_level=None)) as session:
                    return work(session)
            except sqlite3.Error as error:
                raise sqlite_fault(error) from error

        return await asyncio.to_thread(run)

    def _measure(self, session: sqlite3.Connection) -> StorageUse:
        [free_pages] = session.execute("PRAGMA freelist_count").fetchone()
        [page_bytes] = session.execute("PRAGMA page_size").fetchone()
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        total = sum(file.stat().st_size for file in files if file.exists())
        return StorageUse(total, free_bytes=free_pages * page_bytes)

    def _vacuum(self, session: sqlite3.Connection) -> None:
        # Without ANALYZE: the statements are written for a planner that has no statistics, which would be those of now.
        session.execute("VACUUM")
        # Else the new copy of the database would stay in the log.
        session.execute("PRAGMA wal_checkpoint(TRUNCATE)")
