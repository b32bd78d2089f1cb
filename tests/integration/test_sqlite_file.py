"""What becomes of the file of an open SQLite database behind the service's back: nothing is stored in vain."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, make_url

from ketline.db.engine.clock import now
from ketline.db.engine.database import Database, open_database
from ketline.db.schema.tables import idempotency_keys
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import DatabaseFileLost


class adding:  # noqa: N801 - reads as what it does
    """Adds a key; `meanwhile` happens in the middle of the transaction."""

    def __init__(self, key: str, meanwhile: Callable[[], object] | None = None) -> None:
        self.key = key
        self.meanwhile = meanwhile

    def __call__(self, connection: Connection) -> None:
        values = {"key": self.key, "fingerprint": "f", "task_id": UUID(int=0), "expires_at": now()}
        connection.execute(insert(idempotency_keys).values(values))
        if self.meanwhile is not None:
            self.meanwhile()


def path_of(url: str) -> Path:
    return Path(make_url(url).database or "")


def replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.rename(path)


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def delete_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


HARMS = [Path.unlink, replace, truncate, cut_in_half, delete_log]


async def checkpointed(database: Database, path: Path) -> None:
    """Have what was migrated in the file itself, as after some time of running."""
    await database.write(adding("before"))
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(FULL)")
    other.close()
    await database.write(adding("known"))


@pytest.mark.parametrize("harm", HARMS)
async def test_nothing_is_stored_in_a_file_that_is_lost(sqlite_url: str, harm: Callable[[Path], None]) -> None:
    path = path_of(sqlite_url)
    async with open_database(sqlite_url) as database:
        await checkpointed(database, path)
        harm(path)
        for write in (database.write, database.autocommit):
            with pytest.raises(DatabaseFileLost):
                await write(adding("in vain"))
        with pytest.raises(DatabaseFileLost):
            await SqlTaskRepository(database).check_writable()


@pytest.mark.parametrize("harm", HARMS)
async def test_file_that_is_lost_in_the_middle_of_a_transaction(sqlite_url: str, harm: Callable[[Path], None]) -> None:
    """Between the look before it and the commit: what was committed then is not answered as stored."""
    path = path_of(sqlite_url)
    async with open_database(sqlite_url) as database:
        await checkpointed(database, path)
        with pytest.raises(DatabaseFileLost):
            await database.write(adding("in vain", lambda: harm(path)))


async def test_directory_that_is_moved_away_and_back(tmp_path: Path, sqlite_url: str) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    async with open_database(sqlite_url):
        pass
    shutil.move(path_of(sqlite_url), home / "ketline.db")
    async with open_database(f"sqlite+aiosqlite:///{home / 'ketline.db'}") as database:
        await database.write(adding("before"))
        home.rename(elsewhere)
        with pytest.raises(DatabaseFileLost):
            await database.write(adding("meanwhile"))
        elsewhere.rename(home)
        await database.write(adding("after"))
    with sqlite3.connect(home / "ketline.db") as other:
        assert {row[0] for row in other.execute("SELECT key FROM idempotency_keys")} == {"before", "after"}
    other.close()


async def test_vacuum_is_no_loss(sqlite_url: str) -> None:
    """It makes the file smaller, as cutting it short does."""
    path = path_of(sqlite_url)
    async with open_database(sqlite_url) as database:
        await database.write(adding("k" * 2_000_000))
        await checkpointed(database, path)
        before = path.stat().st_size
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("DELETE FROM idempotency_keys WHERE length(key) > 1000")
            other.execute("VACUUM")
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        assert path.stat().st_size < before
        await database.write(adding("after"))


async def test_log_outlives_other_processes_after_the_file_has_shrunk(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    another = [
        sys.executable,
        "-c",
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT 1 FROM tasks')",
    ]
    vacuum = [*another[:2], f"{another[2]}; c.execute('VACUUM'); c.execute('PRAGMA wal_checkpoint(TRUNCATE)')"]
    async with open_database(sqlite_url) as database:
        await checkpointed(database, path)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("CREATE TABLE filler (x)")
        other.execute("INSERT INTO filler VALUES (zeroblob(1000000))")
        other.execute("PRAGMA wal_checkpoint(FULL)")
        await database.write(adding("large"))
        other.execute("DROP TABLE filler")
        other.close()
        await asyncio.to_thread(subprocess.run, vacuum, check=True)
        await database.write(adding("small"))
        # It closes the file, and would delete the log if it seemed to be the last one that uses the database.
        await asyncio.to_thread(subprocess.run, another, check=True)
        await database.write(adding("after"))
