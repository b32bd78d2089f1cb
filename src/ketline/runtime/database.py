"""The database of a process: its sessions, its repository, and the notifications of changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from ketline.config import Settings
from ketline.db.engine.database import Database, open_database
from ketline.db.notify.notifications import NullNotifier, PostgresqlListener, PostgresqlNotifier
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.retry import RetryPolicy
from ketline.ports.notifier import Notifier
from ketline.runtime.background import running
from ketline.service.tasks.watch import Watch


@asynccontextmanager
async def open_repository(settings: Settings) -> AsyncIterator[SqlTaskRepository]:
    """The repository on the configured database; opens while the database is down."""
    url = settings.database_url.get_secret_value()
    async with (
        open_database(url, pool_size=settings.database_pool_size, idle_seconds=settings.database_idle_s) as database,
        _notifier(database) as notifier,
    ):
        yield repository_on(database, settings, notifier)


def repository_on(database: Database, settings: Settings, notifier: Notifier) -> SqlTaskRepository:
    """The repository on an open database."""
    return SqlTaskRepository(
        database,
        redispatch=timedelta(seconds=settings.redispatch_s),
        retry_policy=RetryPolicy(
            delay=timedelta(seconds=settings.worker_retry_delay_s), max_crashes=settings.max_crashes
        ),
        key_lifetime=timedelta(seconds=settings.idempotency_key_lifetime_s),
        notifier=notifier,
    )


@asynccontextmanager
async def listening(settings: Settings, database: Database, watch: Watch) -> AsyncIterator[None]:
    """Notify the watch of changes that other processes commit; on SQLite, which cannot, its poll alone has to do."""
    if not database.dialect.notifies:
        yield
        return
    listener = PostgresqlListener(_direct_url(settings), watch.on_change, watch.resync)
    async with running(listener.run()):
        yield


async def migrate_database(settings: Settings) -> None:
    """Bring the configured database's schema up to date.

    Raises:
        DatabaseUnavailable: it cannot be.
    """
    await migrate(_direct_url(settings))


async def migrate(url: str) -> None:
    """Bring the schema of the database at this URL up to date.

    Raises:
        DatabaseUnavailable: it cannot be.
    """
    # Late, because API and workers never need Alembic, a third of what they would import.
    from ketline.db.schema.migrate import migrate as run_migrations

    await run_migrations(url)


def _direct_url(settings: Settings) -> str:
    """Past a connection pooler, where there is one."""
    return (settings.database_direct_url or settings.database_url).get_secret_value()


@asynccontextmanager
async def _notifier(database: Database) -> AsyncIterator[Notifier]:
    if not database.dialect.notifies:
        yield NullNotifier()
        return
    notifier = PostgresqlNotifier(database)
    try:
        yield notifier
    finally:
        await notifier.close()
