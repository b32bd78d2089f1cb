"""Migrates a database to the schema of this version; nothing else creates or changes a schema.

`runtime/database.py` calls it for `ketline migrate` and for the embedded service.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ketline.db.engine.connector import SESSION_ERRORS, SQLALCHEMY_THROUGH_A_POOLER, THROUGH_A_POOLER, Connector
from ketline.domain.errors import ConfigurationInvalid, DatabaseUnavailable
from ketline.domain.operations.schema_state import PendingMigration, SchemaState

log = structlog.get_logger()

# Migrations up to this one were made while the service was stopped; later ones say whether they need that.
LAST_STOPPED = "0032"
# While a migration waits for a lock on a table, all later statements on the table wait behind it.
LOCK_SECONDS = 3.0
LOCK_ATTEMPTS = 20
_LOCKED = "55P03"
# SQLite has one lock for all: a process that migrates at the same time, or a vacuum, holds it for this long at most.
SQLITE_BUSY_SECONDS = 60.0


async def migrate(
    url: str, to: str = "head", *, lock_seconds: float = LOCK_SECONDS, lock_attempts: int = LOCK_ATTEMPTS
) -> None:
    """Make the migrations up to `to`, or take back those after it; does nothing if there are none.

    All of it is one transaction: a process that is killed meanwhile leaves the schema as it was. Safe to call
    concurrently. A database with the schema of a later version is left as it is. A table that other transactions lock
    is waited for `lock_attempts` times for `lock_seconds`, so that they are not held up for longer.

    Raises:
        ConfigurationInvalid: there is no migration `to`.
        DatabaseUnavailable: the database cannot be reached or rejects the change.
    """
    engine = _engine(url)
    try:
        for attempt in range(1, lock_attempts + 1):
            try:
                async with engine.begin() as connection:
                    return await connection.run_sync(partial(_move, to=to, lock_seconds=lock_seconds))
            except SQLAlchemyError as error:
                if not _is_locked(error) or attempt == lock_attempts:
                    raise
                log.warning("migration.table_locked", attempt=attempt, of=lock_attempts)
                await asyncio.sleep(lock_seconds)
    except (SQLAlchemyError, *SESSION_ERRORS) as error:
        raise DatabaseUnavailable(f"The schema could not be brought up to date: {_reason(error)}") from error
    finally:
        await engine.dispose()


async def schema_state(url: str) -> SchemaState:
    """Compare the schema of the database with that of this version.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    engine = _engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_state)
    except (SQLAlchemyError, *SESSION_ERRORS) as error:
        raise DatabaseUnavailable(f"The schema could not be read: {_reason(error)}") from error
    finally:
        await engine.dispose()


def migration_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for this package's migrations, on a connection."""
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def known_revisions() -> Sequence[str]:
    """The revisions of this version's migrations, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(migration_config()).walk_revisions()]


def _engine(url: str) -> AsyncEngine:
    if url.startswith("sqlite"):
        # The driver begins transactions itself at the first change of a row, which leaves out changes of the schema.
        manual = {"isolation_level": None, "timeout": SQLITE_BUSY_SECONDS}
        return create_async_engine(url, poolclass=NullPool, connect_args=manual, hide_parameters=True)
    connect = Connector(url)
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        connect_args={"async_creator_fn": connect, **THROUGH_A_POOLER, **SQLALCHEMY_THROUGH_A_POOLER},
        hide_parameters=True,
    )


def _move(connection: Connection, *, to: str, lock_seconds: float) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{int(lock_seconds * 1000)}ms'"))
    elif to != "head" or _state(connection).pending:
        connection.execute(text("BEGIN IMMEDIATE"))
    state, config = _state(connection), migration_config(connection)
    if to == "head":
        if state.later:
            log.warning("migration.later_schema", schema=state.current, newest=state.newest)
        else:
            command.upgrade(config, "head")
        return
    try:
        back = state.current is not None and to < state.current
        (command.downgrade if back else command.upgrade)(config, to)
    except CommandError as error:
        raise ConfigurationInvalid(f"This version has no migration {to!r}, or none from {state.current}.") from error


def _state(connection: Connection) -> SchemaState:
    scripts = ScriptDirectory.from_config(migration_config())
    newest = scripts.get_current_head()
    assert newest is not None
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        return SchemaState(current=current, newest=newest, later=True)
    missing = reversed(list(scripts.iterate_revisions(newest, current or "base")))
    return SchemaState(current=current, newest=newest, pending=tuple(map(_pending, missing)))


def _pending(script: Script) -> PendingMigration:
    return PendingMigration(
        revision=script.revision,
        title=script.doc.rstrip("."),
        compatible_from=compatible_from(script.revision, script.module),
    )


def compatible_from(revision: str, module: ModuleType) -> str | None:
    """The oldest schema whose processes work on that of a migration: what it declares; None if it only adds."""
    declared: str | None = getattr(module, "compatible_from", revision if revision <= LAST_STOPPED else None)
    return declared


def _is_locked(error: SQLAlchemyError) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == _LOCKED


def _scripts() -> Path:
    """The folder of migrations: in the installed package, or at the top of the repository in a development install."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parents[1] / "migrations"


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
