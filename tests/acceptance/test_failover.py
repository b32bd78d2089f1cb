"""PostgreSQL fails over to a standby in the middle of work: streaming replication of real servers, real processes."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ketline.db.schema.migrate import migrate
from tests.acceptance.conftest import distributed_on
from tests.acceptance.processes import Fleet, any_port
from tests.acceptance.steady_load import SteadyLoad, verified
from tests.blocks import long_after
from tests.servers import PostgresServer, RedisServer
from tests.servers.moving_address import MovingAddress

pytestmark = pytest.mark.timeout(300)

TASKS = 40
# The service takes a second or two; the machine may be busy.
SOON_SECONDS = 30.0


@pytest.fixture
async def replicated(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> tuple[PostgresServer, PostgresServer]:
    """A server and its standby; a commit is acknowledged when both have it."""
    primary = await private_postgres_server()
    await primary.create_database("ketline")
    await migrate(primary.url("ketline"))
    standby = await private_postgres_server(standby_of=primary)
    await primary.require_standby()
    return primary, standby


@pytest.fixture
async def address(replicated: tuple[PostgresServer, PostgresServer]) -> AsyncIterator[MovingAddress]:
    async with MovingAddress(replicated[0].port) as address:
        yield address


@pytest.mark.parametrize(("reached_by", "end"), long_after(1, [("hosts", "kill"), ("address", "stop")]))
async def test_failover_under_load(
    fleet: type[Fleet],
    tmp_path: Path,
    redis_server: RedisServer,
    replicated: tuple[PostgresServer, PostgresServer],
    address: MovingAddress,
    reached_by: str,
    end: str,
) -> None:
    """The server is killed, or shut down as for a planned switch; all that was accepted is there, and once."""
    primary, standby = replicated
    ports = (
        f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}" if reached_by == "hosts" else f"127.0.0.1:{address.port}"
    )
    service = distributed_on(fleet, tmp_path, f"postgresql://postgres@{ports}/ketline", redis_server.url)
    other_port = any_port()
    processes = [await service.start_api(), await service.start_api(other_port)]
    processes += [await service.start_worker("one", slots=2), await service.start_worker("two")]
    load = SteadyLoad([service.port, other_port])
    async with load.running():
        await load.accepts(TASKS)
        before = time.monotonic()
        await (primary.kill() if end == "kill" else primary.stop())
        await standby.promote()
        address.move(standby.port)
        await load.accepts(TASKS)
    tasks = await verified(standby.url("ketline"), load)
    assert [moment for moment in load.retried_at if moment > before], "the failover was noticed"
    assert load.longest_pause() < SOON_SECONDS
    assert len(tasks) >= 2 * TASKS
    for process in processes:
        assert process.process.returncode is None, "it recovers by itself"
        assert not [line for line in process.log_lines() if line["event"].endswith("crashed")]
    print(f"{len(tasks)} tasks, {len(load.retried_at)} retries, longest pause {load.longest_pause():.2f} s")
