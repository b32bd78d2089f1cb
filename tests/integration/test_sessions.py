"""How many sessions a process takes, what it does when the server has none left, and which server it follows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import Connection, text

from ketline.db.engine.connector import Connector
from ketline.db.engine.database import Database, open_database
from ketline.db.notify.notifications import PostgresqlListener
from ketline.db.schema.migrate import migrate
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import DatabaseConnectionsExhausted, DatabaseReadOnly, DatabaseUnavailable
from tests.servers import PgBouncer, PostgresServer

StartServer = Callable[..., Awaitable[PostgresServer]]
SECONDS = 20.0


def slow(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1 FROM pg_sleep(0.2)")).scalar_one())


def held_up(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock_shared(1)"))


def server_pid(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


async def count_sessions(url: str) -> int:
    connection = await Connector(url)()
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    finally:
        await connection.close()


async def becomes(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(SECONDS):
        while await look() != wanted:  # noqa: ASYNC110 - the state is the server's
            await asyncio.sleep(0.05)


async def busy(database: Database, times: int) -> None:
    """As many statements and transactions of each kind at once."""
    ways = [database.write, database.autocommit, database.read, database.urgent]
    assert await asyncio.gather(*(way(slow) for way in ways for _ in range(times))) == [1] * len(ways) * times


async def test_sessions_are_as_many_as_the_pool_may_have(postgres_url: str) -> None:
    """None is given back meanwhile: the server still lists a session for a moment after that."""
    async with open_database(postgres_url, pool_size=10, idle_seconds=600.0) as database:
        most = 0
        working = asyncio.create_task(busy(database, 8))
        while not working.done():
            most = max(most, await count_sessions(postgres_url))
        await working
        assert 5 < most <= 10, "no more than it may, at its busiest"


async def test_idle_sessions_are_given_back_but_one(postgres_url: str) -> None:
    async with open_database(postgres_url, pool_size=10, idle_seconds=1.0) as database:
        await busy(database, 8)
        await becomes(lambda: count_sessions(postgres_url), 1)
        await busy(database, 8)


async def test_session_is_kept_for_leases_and_health_however_many_wait(postgres_url: str) -> None:
    holder = await Connector(postgres_url)()
    await holder.execute("SELECT pg_advisory_lock(1)")

    async def others_wait() -> bool:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return int(await holder.fetchval(query)) == 3

    async with open_database(postgres_url, pool_size=4) as database:
        repository = SqlTaskRepository(database)
        ways = [database.write, database.autocommit, database.read]
        waiting = [asyncio.create_task(way(held_up)) for way in ways for _ in range(10)]
        await becomes(others_wait, True)
        for _ in range(5):
            await repository.check_writable()
        await holder.close()
        # On a busy machine some have waited for a session for too long.
        await asyncio.gather(*waiting, return_exceptions=True)


@asynccontextmanager
async def strangers(server: PostgresServer, database: str) -> AsyncIterator[list[asyncpg.Connection]]:
    """Take all sessions that the server has left."""
    taken: list[asyncpg.Connection] = []
    try:
        while True:
            try:
                taken.append(await asyncpg.connect(server.url(database).replace("+asyncpg", "")))
            except asyncpg.TooManyConnectionsError:
                break
        yield taken
    finally:
        for connection in taken:
            await connection.close()


async def test_process_goes_on_with_its_one_session_while_the_server_is_full(
    private_postgres_server: StartServer,
) -> None:
    server = await private_postgres_server(max_connections=12)
    await server.create_database("ketline")
    await migrate(server.url("ketline"))
    async with open_database(server.url("ketline"), idle_seconds=0.2) as database:
        await SqlTaskRepository(database).check_writable()
        async with strangers(server, "ketline") as taken:
            assert len(taken) > 5
            await busy(database, 3)
            async with open_database(server.url("ketline")) as late:
                with pytest.raises(DatabaseConnectionsExhausted):
                    await late.read(server_pid)
        await busy(database, 3)


async def test_several_processes_share_few_sessions(private_postgres_server: StartServer) -> None:
    """Each wants ten at once; the server has 24 for all of them, and some are always rejected one."""
    server = await private_postgres_server(max_connections=24)
    await server.create_database("ketline")
    await migrate(server.url("ketline"))
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_database(server.url("ketline"), idle_seconds=0.5)) for _ in range(8)
        ]
        for database in opened:
            await SqlTaskRepository(database).check_writable()
        async with asyncio.timeout(3 * SECONDS):
            await asyncio.gather(*(busy(database, 4) for database in opened))


async def test_standby_that_is_promoted_is_followed(private_postgres_server: StartServer) -> None:
    primary = await private_postgres_server()
    await primary.create_database("ketline")
    await migrate(primary.url("ketline"))
    standby = await private_postgres_server(standby_of=primary)
    url = f"postgresql+asyncpg://postgres@127.0.0.1:{standby.port},127.0.0.1:{primary.port}/ketline"
    async with open_database(url) as database, open_database(standby.url("ketline")) as reader:
        repository = SqlTaskRepository(database)
        await repository.check_writable()
        with pytest.raises(DatabaseReadOnly):
            await SqlTaskRepository(reader).check_writable()
        await primary.kill()
        with pytest.raises(DatabaseUnavailable):
            await repository.check_writable()
        await standby.promote()

        async def writable() -> bool:
            try:
                await repository.check_writable()
            except DatabaseUnavailable:
                return False
            return True

        await becomes(writable, True)
        await busy(database, 2)
        await SqlTaskRepository(reader).check_writable()


@pytest.fixture
async def pooler(postgres_with_template: PostgresServer) -> AsyncIterator[PgBouncer]:
    async with PgBouncer(postgres_with_template) as pooler:
        yield pooler


async def test_pooler_in_transaction_mode(pooler: PgBouncer, postgres_url: str) -> None:
    """Two processes, and more sessions of theirs than the server's: statements land on any session of the server."""
    url = pooler.url(postgres_url.rpartition("/")[2])
    assert await Connector(url).is_pooled()
    assert not await Connector(postgres_url).is_pooled()
    async with open_database(url) as one, open_database(url) as other:
        async with asyncio.timeout(3 * SECONDS):
            for _ in range(3):
                await asyncio.gather(busy(one, 4), busy(other, 4))
            repositories = [SqlTaskRepository(one), SqlTaskRepository(other)]
            for _ in range(50):
                await asyncio.gather(
                    *(one.check_writable() for one in repositories), *(one.ping() for one in repositories)
                )

        def limit(connection: Connection) -> str:
            return str(connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one())

        assert await one.write(limit) == "5s"
        assert await one.autocommit(limit) == "0", "it is of that transaction only"


async def test_listener_does_not_listen_through_a_pooler(pooler: PgBouncer, postgres_url: str) -> None:
    url = pooler.url(postgres_url.rpartition("/")[2])
    async with asyncio.timeout(SECONDS):
        await PostgresqlListener(url, lambda changes: None, lambda: None).run()


async def test_migration_through_a_pooler(pooler: PgBouncer, postgres_server: PostgresServer) -> None:
    await postgres_server.create_database("pooled_migration")
    await migrate(pooler.url("pooled_migration"))
    async with open_database(postgres_server.url("pooled_migration")) as database:
        await SqlTaskRepository(database).check_writable()
