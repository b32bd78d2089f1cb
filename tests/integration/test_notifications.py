"""Changes announced by one connection to PostgreSQL reach whoever listens on another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from ketline.db.engine.database import Database, open_database
from ketline.db.notify.notifications import CHANNEL, MANY, PostgresqlListener, PostgresqlNotifier
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change

T = TypeVar("T")
SECONDS = 20.0
CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'ketline-listener' AND datname = current_database()"
)


class Ear:
    """A listener under way, and what it heard."""

    def __init__(self) -> None:
        self.heard: list[Change] = []
        self.listening = asyncio.Semaphore(0)
        self._news = asyncio.Event()

    def hear(self, changes: Sequence[Change]) -> None:
        self.heard += changes
        self._news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.heard) < count:
                await self._news.wait()
                self._news.clear()


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Ear]:
    ear = Ear()
    running = asyncio.create_task(PostgresqlListener(url, ear.hear, ear.listening.release).run())
    try:
        async with asyncio.timeout(SECONDS):
            await ear.listening.acquire()
        yield ear
    finally:
        running.cancel()
        await asyncio.wait([running])


class CountedDatabase(Database):
    """A database that counts the statements which an notifier makes of its own."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._transactions, database.dialect)
        self.statements = 0

    def autocommit_in_background(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        self.statements += 1
        return super().autocommit_in_background(work)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with open_database(postgres_url) as database:
        yield database


def some(count: int, status: TaskStatus = TaskStatus.COMPLETED) -> list[Change]:
    return [Change(task_id=TaskId(uuid4()), status=status) for _ in range(count)]


async def test_changes_are_heard_in_order(postgres_url: str, database: Database) -> None:
    notifier = PostgresqlNotifier(database)
    changes = [*some(1, TaskStatus.PENDING), *some(400, TaskStatus.PROCESSING), *some(1, TaskStatus.CANCELLED)]
    async with listening(postgres_url) as ear, listening(postgres_url) as other:
        for change in changes:
            notifier.notify(change)
        await ear.until(len(changes))
        await other.until(len(changes))
    assert ear.heard == other.heard == changes


async def test_changes_of_a_busy_service_share_the_next_statement(postgres_url: str, database: Database) -> None:
    """The pause is long enough here for all that follow; a busy service's is 5 ms."""
    counted = CountedDatabase(database)
    notifier = PostgresqlNotifier(counted, gathering_seconds=0.5)
    async with listening(postgres_url) as ear:
        notifier.notify(*some(MANY))
        await ear.until(MANY)
        for change in some(20):
            notifier.notify(change)
            await asyncio.sleep(0)
        await ear.until(MANY + 20)
    assert counted.statements == 2


async def test_beginning_of_a_short_task_is_told_with_its_end(postgres_url: str, database: Database) -> None:
    counted = CountedDatabase(database)
    notifier = PostgresqlNotifier(counted, beginning_seconds=3600.0)
    changes = [*some(1, TaskStatus.PENDING), *some(1, TaskStatus.PROCESSING), *some(1)]
    async with listening(postgres_url) as ear:
        for change in changes:
            notifier.notify(change)
            await asyncio.sleep(0)
        await ear.until(3)
    assert ear.heard == changes
    assert counted.statements == 1


async def test_beginning_is_told_without_an_end(postgres_url: str, database: Database) -> None:
    notifier = PostgresqlNotifier(database)
    async with listening(postgres_url) as ear:
        for status in (TaskStatus.PENDING, TaskStatus.PROCESSING):
            notifier.notify(*some(1, status))
            await ear.until(1)
            ear.heard.clear()


async def test_cut_listener_listens_again_and_says_so(postgres_url: str, database: Database) -> None:
    notifier = PostgresqlNotifier(database)
    async with listening(postgres_url) as ear:
        await database.write(lambda connection: connection.execute(CUT).all())
        async with asyncio.timeout(SECONDS):
            await ear.listening.acquire()
        notifier.notify(*some(1))
        await ear.until(1)


async def test_what_is_not_ours_is_ignored(postgres_url: str, database: Database) -> None:
    def notify(connection: Connection) -> None:
        for payload in ("", "x", f"{uuid4()} done", f"{uuid4()} completed late", "nothing completed"):
            connection.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload})

    async with listening(postgres_url) as ear:
        await database.write(notify)
        PostgresqlNotifier(database).notify(*(ours := some(1)))
        await ear.until(1)
    assert ear.heard == ours


async def test_absent_database_loses_announcements_and_nothing_else(postgres_url: str) -> None:
    async with open_database("postgresql+asyncpg://nobody@127.0.0.1:1/none") as away:
        notifier = PostgresqlNotifier(away)
        notifier.notify(*some(3))
        await notifier.close()


async def test_what_was_announced_is_sent_before_the_end(postgres_url: str, database: Database) -> None:
    notifier = PostgresqlNotifier(database)
    async with listening(postgres_url) as ear:
        notifier.notify(*(changes := some(300)))
        await notifier.close()
        await ear.until(300)
    assert ear.heard == changes


async def test_nothing_is_announced_after_the_end(database: Database) -> None:
    counted = CountedDatabase(database)
    notifier = PostgresqlNotifier(counted, beginning_seconds=0.0)
    await notifier.close()
    notifier.notify(*some(1, TaskStatus.PENDING))
    notifier.notify(*some(1))
    await database.read(lambda connection: None)  # meanwhile a timer would have gone off
    assert counted.statements == 0


@pytest.mark.parametrize("query", ["prepared_statement_cache_size=0", "command_timeout=7", "timeout=9"])
async def test_address_may_have_options_of_the_engine(postgres_url: str, database: Database, query: str) -> None:
    async with listening(f"{postgres_url}?{query}") as ear:
        PostgresqlNotifier(database).notify(*some(1))
        await ear.until(1)
