"""What an operator sees of the server's limits: the log of a start, a start that is rejected, and `ketline check`."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.acceptance.conftest import distributed_on
from tests.acceptance.processes import Fleet, eventually
from tests.servers import PostgresServer, RedisServer


async def test_limits_are_shown_at_the_start_and_by_check(
    fleet: type[Fleet],
    tmp_path: Path,
    redis_server: RedisServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    server = await private_postgres_server(max_connections=30)
    await server.create_database("ketline")
    await server.execute("CREATE USER clerk", "ALTER DATABASE ketline OWNER TO clerk")
    url = server.url("ketline").replace("//postgres@", "//clerk@")
    service = distributed_on(fleet, tmp_path, url, redis_server.url)
    assert await (await service.fleet.start("migrate")).process.wait() == 0
    api = await service.start_api()
    shown = await api.logged("database.connections")
    assert (shown["most"], shown["allowed"], shown["fit"]) == (11, 27, 2)

    async def listens() -> bool:
        return bool(await server.fetch("SELECT FROM pg_stat_activity WHERE application_name = 'ketline-listener'"))

    await eventually(listens, "an API that listens")
    first = await service.start_worker("first")
    await first.logged("database.connections", most=10, others=11)
    second = await service.start_worker("second")
    warning = await second.logged("database.connections_scarce")
    assert (warning["left"], warning["limit"]) == (6, "server")
    assert "max_connections" in warning["remedy"]
    check = await service.fleet.start("check")
    assert await check.process.wait() == 0, check.output.read_text()
    assert "enough for 2 `ketline api` (11 each) or 2 `ketline worker` (10 each)" in check.output.read_text()

    await server.execute("ALTER USER clerk CONNECTION LIMIT 1")
    for process in (api, first, second):
        await process.stop()
    rejected = await service.fleet.start("api", "--port", str(service.port))
    assert await rejected.process.wait() == 2
    assert "allows `ketline api` 1 of the 2 connections" in rejected.output.read_text()
    assert "Traceback" not in rejected.output.read_text()
