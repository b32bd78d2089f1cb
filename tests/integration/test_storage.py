"""VACUUM on both databases, beside sessions that use them."""

from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from ketline.db.engine.clock import now
from ketline.db.engine.connector import Connector
from ketline.db.engine.database import Database
from ketline.db.schema.tables import audit, workers
from ketline.db.storage import PostgresqlStorage, SqliteStorage, sqlite_path
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.ids import WorkerId
from ketline.ports.operations.storage import DatabaseStorage

ROWS = 3000


def storage_of(url: str) -> DatabaseStorage:
    path = sqlite_path(url)
    return PostgresqlStorage(Connector(url)) if path is None else SqliteStorage(path)


async def fill_and_empty(database: Database) -> None:
    """Leave the space of many deleted rows."""
    row = {"at": now(), "action": "test", "notes": "x" * 1000}

    def fill(connection: Connection) -> None:
        connection.execute(insert(audit).values([row] * ROWS))

    def empty(connection: Connection) -> None:
        connection.execute(delete(audit))

    await database.write(fill)
    await database.write(empty)


async def test_space_of_deleted_rows_is_freed_beside_a_service_that_uses_the_database(
    database: Database, database_url: str
) -> None:
    registry, storage = SqlWorkerRegistry(database), storage_of(database_url)
    worker = WorkerIdentity(worker_id=WorkerId("worker-1"), slots=1, version="1.0")
    await registry.beat(worker, None, timedelta(seconds=15))
    await fill_and_empty(database)
    before = await storage.measure()
    await storage.vacuum()
    after = await storage.measure()
    if before.free_bytes is not None:
        assert before.free_bytes > 1000 * ROWS
        assert (after.free_bytes, after.total_bytes < before.total_bytes / 4) == (0, True)
    assert after.dead_rows in (None, 0)
    await registry.beat(worker, None, timedelta(seconds=15))
    found = select(workers.c.worker_id)
    assert await database.read(lambda connection: connection.execute(found).scalars().all()) == ["worker-1"]
