"""The limits that PostgreSQL sets to connections, read by a process that starts."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from structlog.testing import capture_logs

from ketline.db.engine.connection_limits import read_limits
from ketline.db.engine.database import open_database
from ketline.db.engine.postgresql import PLANNING
from ketline.domain.errors import ConfigurationInvalid
from ketline.domain.operations.connections import ConnectionLimit, ConnectionNeed, LimitName, ServerLimits
from ketline.runtime.connections import compared_connections
from tests.servers import PgBouncer, PostgresServer

StartServer = Callable[..., Awaitable[PostgresServer]]
WORKER = ConnectionNeed(process="worker", most=10, least=1)


@pytest.fixture
async def server(private_postgres_server: StartServer) -> PostgresServer:
    """A server of its own, whose sessions no other test opens, with a role that is no superuser."""
    server = await private_postgres_server(max_connections=50)
    await server.create_database("ketline")
    await server.execute("CREATE USER clerk", "ALTER DATABASE ketline OWNER TO clerk")
    return server


def url_of_clerk(server: PostgresServer) -> str:
    return server.url("ketline").replace("//postgres@", "//clerk@")


async def limits_of(url: str) -> ServerLimits:
    async with open_database(url, pool_size=4) as database:
        return await database.urgent(read_limits)


def by_name(limits: ServerLimits) -> dict[LimitName, int]:
    return {limit.name: limit.allowed for limit in limits.limits}


async def test_each_limit_counts_for_whom_it_holds(server: PostgresServer) -> None:
    assert by_name(await limits_of(server.url("ketline"))) == {LimitName.SERVER: 50}, "a superuser has all"
    assert by_name(await limits_of(url_of_clerk(server))) == {LimitName.SERVER: 47}, "three are reserved"
    await server.execute("ALTER USER clerk CONNECTION LIMIT 20", "ALTER DATABASE ketline CONNECTION LIMIT 30")
    assert by_name(await limits_of(url_of_clerk(server))) == {
        LimitName.SERVER: 47,
        LimitName.ROLE: 20,
        LimitName.DATABASE: 30,
    }
    assert by_name(await limits_of(server.url("ketline"))) == {LimitName.SERVER: 50}


async def test_other_processes_count_with_their_pools_and_strangers_with_their_sessions(
    server: PostgresServer,
) -> None:
    """Others of Ketline are of the same role; a stranger is of another one, in another database."""
    await server.execute("ALTER USER clerk CONNECTION LIMIT 40", "ALTER DATABASE ketline CONNECTION LIMIT 45")
    async with AsyncExitStack() as stack:
        for size in (7, 12):
            other = await stack.enter_async_context(open_database(url_of_clerk(server), pool_size=size))
            await asyncio.gather(other.urgent(read_limits), other.read(read_limits), other.autocommit(read_limits))
        stranger = await asyncpg.connect(server.url("postgres").replace("+asyncpg", ""))
        stack.push_async_callback(stranger.close)
        limits = {limit.name: limit for limit in (await limits_of(url_of_clerk(server))).limits}
    assert limits[LimitName.ROLE] == ConnectionLimit(name=LimitName.ROLE, allowed=40, others=19)
    assert limits[LimitName.DATABASE] == ConnectionLimit(name=LimitName.DATABASE, allowed=45, others=19)
    assert limits[LimitName.SERVER] == ConnectionLimit(name=LimitName.SERVER, allowed=47, others=20)


async def test_warning_comes_with_the_process_that_does_not_fit(server: PostgresServer) -> None:
    events = []
    async with AsyncExitStack() as stack:
        for _ in range(5):
            database = await stack.enter_async_context(open_database(url_of_clerk(server), pool_size=10))
            with capture_logs() as lines:
                async with compared_connections(database, WORKER):
                    events.append([line["event"] for line in lines])
    assert events == [["database.connections"]] * 4 + [["database.connections", "database.connections_scarce"]]


async def test_process_that_cannot_work_does_not_start(server: PostgresServer) -> None:
    await server.execute("ALTER USER clerk CONNECTION LIMIT 1")
    async with open_database(url_of_clerk(server)) as database:
        async with compared_connections(database, WORKER):
            pass
        with pytest.raises(ConfigurationInvalid, match="allows `ketline api` 1 of the 2 connections"):
            async with compared_connections(database, ConnectionNeed(process="api", most=11, least=2)):
                pass


async def test_comparison_waits_for_a_server_that_is_down(server: PostgresServer) -> None:
    await server.stop()
    async with open_database(url_of_clerk(server)) as database:
        with capture_logs() as lines:
            async with compared_connections(database, WORKER):
                assert not [line for line in lines if line["event"] == "database.connections"]
                await server.start()
                async with asyncio.timeout(30):
                    while not [line for line in lines if line["event"] == "database.connections"]:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)


async def events_at_start(url: str) -> list[str]:
    async with open_database(url) as database:
        with capture_logs() as lines:
            async with compared_connections(database, WORKER):
                return [line["event"] for line in lines]


async def test_pooler_is_named_in_place_of_limits(postgres_with_template: PostgresServer, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    async with PgBouncer(postgres_with_template) as pooler:
        assert await events_at_start(pooler.url(name)) == [
            "database.connections_through_pooler",
            "database.planner_settings_missing",
        ]
    statements = [f'ALTER DATABASE "{name}" SET {setting} = {value}' for setting, value in PLANNING.items()]
    await postgres_with_template.execute(*statements)
    async with PgBouncer(postgres_with_template) as pooler:
        assert await events_at_start(pooler.url(name)) == ["database.connections_through_pooler"]


async def test_nothing_is_compared_on_sqlite(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        with capture_logs() as lines:
            async with compared_connections(database, WORKER):
                pass
    assert lines == []
