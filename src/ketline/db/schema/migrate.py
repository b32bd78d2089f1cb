"""Migrates a database to the schema of this version; nothing else creates or changes a schema.

`runtime/database.py` calls it for `ketline migrate` and for the embedded service.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ketline.db.engine.connector import SESSION_ERRORS, SQLALCHEMY_THROUGH_A_POOLER, THROUGH_A_POOLER, Connector
from ketline.domain.errors import DatabaseUnavailable


async def migrate(url: str) -> None:
    """Upgrade to the newest schema; does nothing if it is up to date, and is safe to call concurrently.

    Raises:
        DatabaseUnavailable: the database cannot be reached or rejects the change.
    """
    engine = _engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except (SQLAlchemyError, *SESSION_ERRORS) as error:
        raise DatabaseUnavailable(f"The schema could not be brought up to date: {_reason(error)}") from error
    finally:
        await engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for this package's migrations on a connection."""
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> AsyncEngine:
    if url.startswith("sqlite"):
        return create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    connect = Connector(url)
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        connect_args={"async_creator_fn": connect, **THROUGH_A_POOLER, **SQLALCHEMY_THROUGH_A_POOLER},
        hide_parameters=True,
    )


def _upgrade(connection: Connection) -> None:
    command.upgrade(migration_config(connection), "head")


def _scripts() -> Path:
    """The folder of migrations: in the installed package, or at the top of the repository in a development install."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parents[1] / "migrations"


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
