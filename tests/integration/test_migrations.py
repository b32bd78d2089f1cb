"""The migrated schema is the declared one, and carries the names that existing clients rely on."""

import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from ketline.db.engine.database import open_database
from ketline.db.schema.migrate import LAST_STOPPED, compatible_from, migrate, migration_config, schema_state
from ketline.db.schema.tables import metadata
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import ConfigurationInvalid, DatabaseUnavailable
from ketline.domain.operations.schema_state import SchemaState
from ketline.domain.status import TaskStatus
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


# What processes of earlier versions do not notice: what is new is not theirs, and takes no value from them.
_ADDS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"CREATE TABLE ",
        r"CREATE INDEX ",
        r"CREATE SEQUENCE ",
        r"CREATE TYPE ",
        r"ALTER TYPE \w+ ADD VALUE ",
        r"ALTER TABLE \w+ ADD COLUMN (?!.*NOT NULL)",
        r"ALTER TABLE \w+ ADD COLUMN .* DEFAULT .*NOT NULL",
        r"COMMENT ON ",
        r"(INSERT INTO|UPDATE|DELETE FROM) alembic_version",
        r"SELECT ",
        r"SET LOCAL lock_timeout",
    )
]
_NEW_TABLE = re.compile(r"CREATE TABLE \"?(\w+)")
_CHANGED_TABLE = re.compile(r"(?:CREATE UNIQUE INDEX \w+ ON|INSERT INTO|UPDATE|ALTER TABLE) \"?(\w+)")


async def _statements_of_each(url: str) -> dict[str, list[str]]:
    """The statements of each migration after the last one for which the service was stopped."""
    found: dict[str, list[str]] = {}
    revisions = [
        script.revision
        for script in reversed(list(ScriptDirectory.from_config(migration_config()).walk_revisions()))
        if script.revision > LAST_STOPPED
    ]
    await migrate(url, LAST_STOPPED)
    engine = create_async_engine(url)
    for revision in revisions:
        statements = found[revision] = []
        async with engine.begin() as connection:
            listener = _recorder(statements)
            event.listen(connection.sync_connection, "before_cursor_execute", listener)
            await connection.run_sync(partial(_upgrade, to=revision))
            event.remove(connection.sync_connection, "before_cursor_execute", listener)
    await engine.dispose()
    return found


def _upgrade(connection: Connection, *, to: str) -> None:
    command.upgrade(migration_config(connection), to)


def _recorder(statements: list[str]) -> Callable[..., None]:
    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(" ".join(statement.split()))

    return record


def not_additive(statements: Sequence[str]) -> list[str]:
    """Those of a migration's statements that processes of earlier versions may notice."""
    made = {match[1] for statement in statements if (match := _NEW_TABLE.match(statement))}

    def is_of_new_table(statement: str) -> bool:
        match = _CHANGED_TABLE.match(statement)
        return match is not None and match[1] in made

    return [
        statement
        for statement in statements
        if not is_of_new_table(statement) and not any(kind.match(statement) for kind in _ADDS)
    ]


@pytest.mark.parametrize(
    ("statement", "additive"),
    [
        ("CREATE TABLE notes (id BIGINT NOT NULL)", True),
        ("CREATE INDEX idx_notes ON tasks (name)", True),
        ("CREATE UNIQUE INDEX idx_notes ON tasks (name)", False),
        ("ALTER TABLE tasks ADD COLUMN note TEXT", True),
        ("ALTER TABLE tasks ADD COLUMN note TEXT NOT NULL", False),
        ("ALTER TABLE tasks ADD COLUMN note TEXT DEFAULT '' NOT NULL", True),
        ("ALTER TABLE tasks ADD CONSTRAINT ck_note CHECK (note <> '')", False),
        ("ALTER TABLE tasks DROP COLUMN note", False),
        ("ALTER TABLE tasks ALTER COLUMN note TYPE VARCHAR(9)", False),
        ("ALTER TABLE tasks RENAME COLUMN note TO remark", False),
        ("DROP INDEX idx_notes", False),
        ("UPDATE tasks SET note = ''", False),
        ("ALTER TYPE taskstatus ADD VALUE IF NOT EXISTS 'held'", True),
    ],
)
def test_statements_that_earlier_processes_may_notice_are_told_from_others(statement: str, additive: bool) -> None:
    assert (not_additive([statement]) == []) == additive


async def test_each_new_migration_only_adds_or_says_which_processes_work_on_it(postgres_server: PostgresServer) -> None:
    """A rolling upgrade makes it while processes of the version before run: CONTRIBUTING.md, "A migration"."""
    await postgres_server.create_database("additive")
    found = await _statements_of_each(postgres_server.url("additive"))
    scripts = ScriptDirectory.from_config(migration_config())
    for revision, statements in found.items():
        assert statements, "a migration without a statement was not recorded"
        declared = compatible_from(revision, scripts.get_revision(revision).module)
        if declared is None:
            assert not_additive(statements) == [], (
                f"migration {revision} must declare `compatible_from`, the oldest schema whose processes work on it"
            )
        else:
            assert LAST_STOPPED <= declared <= revision
    await postgres_server.drop_database("additive")


async def test_migration_waits_for_a_locked_table_without_holding_others_up(postgres_server: PostgresServer) -> None:
    await postgres_server.create_database("locked")
    url = postgres_server.url("locked")
    await migrate(url, "0031")
    engine = create_async_engine(url)
    async with engine.connect() as holder:
        await holder.execute(text("LOCK TABLE tasks IN ACCESS SHARE MODE"))
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await migrate(url, lock_seconds=0.05, lock_attempts=2)
        migrating = asyncio.create_task(migrate(url, lock_seconds=0.05, lock_attempts=1000))
        async with engine.connect() as reader:
            for _ in range(20):
                await reader.execute(text("SELECT count(*) FROM tasks"))
                await reader.rollback()
        assert not migrating.done()
    await migrating
    await engine.dispose()
    assert (await schema_state(url)).pending == ()
    await postgres_server.drop_database("locked")


async def test_migration_that_fails_half_way_can_be_made_again(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ketline.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE status_history (id INTEGER)"))
    with pytest.raises(DatabaseUnavailable, match="status_history already exists"):
        await migrate(url)
    async with engine.begin() as connection:
        assert await connection.run_sync(lambda given: inspect(given).get_table_names()) == ["status_history"]
        await connection.execute(text("DROP TABLE status_history"))
    await engine.dispose()
    await migrate(url)
    assert (await schema_state(url)).pending == ()


async def test_concurrent_migrations_of_sqlite_take_turns(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ketline.db'}"
    await asyncio.gather(*(asyncio.to_thread(asyncio.run, migrate(url)) for _ in range(3)))
    assert (await schema_state(url)).pending == ()


async def test_state_of_a_schema_up_and_down(database_url: str) -> None:
    newest = (await schema_state(database_url)).newest
    assert (await schema_state(database_url)) == SchemaState(current=newest, newest=newest)
    await migrate(database_url, "0031")
    state = await schema_state(database_url)
    assert (state.current, state.pending[0].revision, state.pending[0].compatible_from) == ("0031", "0032", "0032")
    assert not state.rolling
    with pytest.raises(ConfigurationInvalid, match="no migration '9999'"):
        await migrate(database_url, "9999")
    await migrate(database_url)
    assert (await schema_state(database_url)).pending == ()


async def test_schema_of_a_later_version_is_left_as_it_is(database_url: str) -> None:
    """As after a return to the version before, whose `ketline migrate` runs first in a Compose stack."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    await migrate(database_url)
    state = await schema_state(database_url)
    assert (state.current, state.later) == ("9999", True)
