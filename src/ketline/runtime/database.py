"""Opens the database of a process: its repository, its migrations, and the notifications of changes.

The modules of the roles (`api.py`, `worker.py`, `embedded.py`) call it, and `ketline migrate`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from ketline.config import Settings
from ketline.db.engine.database import Database, open_database
from ketline.db.notify.notifications import NullNotifier, PostgresqlListener, PostgresqlNotifier
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.operations.schema_state import SchemaState
from ketline.ports.operations.metrics import Metrics
from ketline.ports.tasks.notifier import Notifier
from ketline.runtime.background import running
from ketline.service.tasks.watch import Watch


@asynccontextmanager
async def open_repository(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[SqlTaskRepository]:
    """Open the repository on the configured database; works also while the database is down."""
    url = settings.database_url.get_secret_value()
    async with (
        open_database(
            url, pool_size=settings.database_pool_size, idle_seconds=settings.database_idle_s, metrics=metrics
        ) as database,
        open_notifier(database) as notifier,
    ):
        yield repository_on(database, settings, notifier)


def repository_on(database: Database, settings: Settings, notifier: Notifier) -> SqlTaskRepository:
    """Build the repository on an open database."""
    return SqlTaskRepository(
        database,
        redispatch=timedelta(seconds=settings.redispatch_s),
        retry_policy=RetryPolicy(
            delay=timedelta(seconds=settings.worker_retry_delay_s), max_crashes=settings.max_crashes
        ),
        key_lifetime=timedelta(seconds=settings.idempotency_key_lifetime_s),
        notifier=notifier,
        default_quotas=settings.quota_defaults,
    )


@asynccontextmanager
async def listening(settings: Settings, database: Database, watch: Watch) -> AsyncIterator[None]:
    """Pass notifications of committed changes to `watch` while the context is open; SQLite has only the poll."""
    if not database.dialect.notifies:
        yield
        return
    listener = PostgresqlListener(direct_url(settings), watch.on_change, watch.resync)
    async with running(listener.run()):
        yield


async def migrate_database(settings: Settings, to: str = "head") -> None:
    """Bring the configured database's schema up to date, or to that of the migration `to`.

    Raises:
        ConfigurationInvalid: there is no such migration.
        DatabaseUnavailable: the database cannot be reached or migrated.
    """
    await migrate(direct_url(settings), to)


async def migrate(url: str, to: str = "head") -> None:
    """Bring the schema of the database at this URL up to date, or to that of the migration `to`.

    Raises:
        ConfigurationInvalid: there is no such migration.
        DatabaseUnavailable: the database cannot be reached or migrated.
    """
    # Imported late, because API and workers never need Alembic, which is a third of all their imports.
    from ketline.db.schema.migrate import migrate as run_migrations

    await run_migrations(url, to)


async def schema_state(settings: Settings) -> SchemaState:
    """Compare the schema of the configured database with that of this version.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    from ketline.db.schema.migrate import schema_state as read_state  # late, for the same reason

    return await read_state(direct_url(settings))


def direct_url(settings: Settings) -> str:
    """The URL of the database itself, without a connection pooler, for LISTEN, migrations and VACUUM."""
    return (settings.database_direct_url or settings.database_url).get_secret_value()


@asynccontextmanager
async def open_notifier(database: Database) -> AsyncIterator[Notifier]:
    """Open the notifier of committed changes, which on SQLite does nothing."""
    if not database.dialect.notifies:
        yield NullNotifier()
        return
    notifier = PostgresqlNotifier(database)
    try:
        yield notifier
    finally:
        await notifier.close()
