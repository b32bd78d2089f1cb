"""The migrated schema is the declared one, and carries the names that existing clients rely on."""

import asyncio
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from ketline.db.engine.database import open_database
from ketline.db.schema.migrate import migrate, migration_config
from ketline.db.schema.tables import metadata
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.task import TaskStatus
from tests.servers import PostgresServer


async def test_migrated_schema_equals_declared_schema(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_contract_names_exist(database_url: str) -> None:
    def names(connection: Connection) -> tuple[set[str], set[str | None]]:
        inspector = inspect(connection)
        indexes = {index["name"] for table in ("tasks", "status_history") for index in inspector.get_indexes(table)}
        columns = {column["name"] for column in inspector.get_columns("tasks")}
        return columns, indexes

    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        columns, indexes = await connection.run_sync(names)
    await engine.dispose()
    assert {"idx_task_status", "idx_task_submitted_at", "idx_status_history_task_time"} <= indexes
    assert {
        "task_id",
        "circuit",
        "shots",
        "submitted_at",
        "current_status",
        "completed_at",
        "result",
        "error_message",
    } <= columns


async def test_postgresql_has_the_contract_types(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url)
    async with engine.connect() as connection:
        labels = await connection.execute(text("SELECT unnest(enum_range(NULL::taskstatus))::text"))
        types = await connection.execute(
            text(
                "SELECT table_name || '.' || column_name, udt_name FROM information_schema.columns "
                "WHERE table_name IN ('tasks', 'status_history')"
            )
        )
        found = {row[0]: row[1] for row in types}
        statuses = [row[0] for row in labels]
    await engine.dispose()
    assert statuses == [status.value for status in TaskStatus]
    assert {"pending", "processing", "completed", "failed", "cancelled"} <= set(statuses)
    assert found["tasks.task_id"] == "uuid"
    assert found["tasks.submitted_at"] == "timestamptz"
    assert found["tasks.result"] == "jsonb"
    assert found["tasks.current_status"] == "taskstatus"
    assert found["status_history.id"] == "int8"


async def test_concurrent_migrations_take_turns(postgres_server: PostgresServer) -> None:
    await postgres_server.create_database("race")
    url = postgres_server.url("race")
    program = "import asyncio, sys; from ketline.db.schema.migrate import migrate; asyncio.run(migrate(sys.argv[1]))"
    racers = [await asyncio.create_subprocess_exec(sys.executable, "-c", program, url) for _ in range(3)]
    assert [await racer.wait() for racer in racers] == [0, 0, 0]
    async with open_database(url) as database:
        assert await SqlTaskRepository(database).take_due(1) == []
    await postgres_server.drop_database("race")


async def test_the_newest_migrations_can_be_taken_back_and_made_again(database_url: str) -> None:
    def columns(connection: Connection) -> set[str]:
        return {column["name"] for column in inspect(connection).get_columns("tasks")}

    engine = create_async_engine(database_url)
    added = {"program_format", "observables"}
    async with engine.begin() as connection:
        assert added <= await connection.run_sync(columns)
        await connection.run_sync(lambda given: command.downgrade(migration_config(given), "0007"))
        assert not added & await connection.run_sync(columns)
    await engine.dispose()
    await migrate(database_url)
    async with open_database(database_url) as database:
        assert await SqlTaskRepository(database).take_due(1) == []


async def test_unmigrated_database_says_what_to_do(tmp_path: Path) -> None:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}") as database:
        with pytest.raises(DatabaseUnavailable, match="ketline migrate"):
            await SqlTaskRepository(database).take_due(1)


async def test_unreachable_database_is_named_as_such() -> None:
    with pytest.raises(DatabaseUnavailable, match="schema could not be brought up to date"):
        await migrate("postgresql+asyncpg://nobody@127.0.0.1:1/none")


async def test_sqlite_survives_power_loss_settings(sqlite_url: str) -> None:
    """Durability rests on these; a default of another build must not slip in."""

    def pragmas(connection: Connection) -> tuple[str, int, int]:
        values = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        return (values[0], values[1], values[2])

    full = 2
    async with open_database(sqlite_url) as database:
        assert await database.read(pragmas) == ("wal", full, 1)
