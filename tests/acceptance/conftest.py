"""Both modes as an operator runs them: real processes on real servers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.acceptance.processes import Api, Fleet, KetlineProcess, any_port, api_at, wait_until_healthy
from tests.blocks import long_after
from tests.forking.client import ForkServer
from tests.servers import RabbitServer


class Embedded:
    """The embedded service on one data directory, to be started as often as the test likes."""

    def __init__(self, fleet: Fleet, data_dir: Path) -> None:
        self.fleet = fleet
        self.data_dir = data_dir
        self.port = any_port()

    async def up(self, **environment: str) -> KetlineProcess:
        process = await self.fleet.start(
            "up", "--data-dir", str(self.data_dir), "--port", str(self.port), **environment
        )
        await process.logged("api.listening")
        return process

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        async with api_at(self.port) as api:
            yield api


class Distributed:
    """APIs and workers on one database and one broker."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.port = any_port()

    async def start_api(self, port: int | None = None, **environment: str) -> KetlineProcess:
        process = await self.fleet.start("api", "--port", str(port or self.port), **environment)
        await process.logged("api.listening")
        return process

    async def start_worker(self, worker_id: str = "worker-1", slots: int = 1, **environment: str) -> KetlineProcess:
        process = await self.fleet.start("worker", "--slots", str(slots), WORKER_ID=worker_id, **environment)
        await process.logged("worker.started")
        return process

    @asynccontextmanager
    async def api(self, port: int | None = None) -> AsyncIterator[Api]:
        async with self.client(port) as api:
            await wait_until_healthy(api)
            yield api

    @asynccontextmanager
    async def client(self, port: int | None = None) -> AsyncIterator[Api]:
        """As `api`, of a service that need not be healthy."""
        async with api_at(port or self.port) as api:
            yield api


@pytest.fixture
async def fleet(fork_server: ForkServer) -> AsyncIterator[type[Fleet]]:
    """Ends every process that the test started through it."""
    async with AsyncExitStack() as stack:

        class Kept(Fleet):
            def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
                super().__init__(directory, environment, fork_server=fork_server)
                stack.push_async_callback(self.end)

        yield Kept


@pytest.fixture
def embedded(fleet: type[Fleet], tmp_path: Path) -> Embedded:
    return Embedded(fleet(tmp_path, {}), tmp_path / "data")


def distributed_on(fleet: type[Fleet], directory: Path, database_url: str, broker_url: str) -> Distributed:
    environment = {
        "DATABASE_URL": database_url,
        "KETLINE_QUEUE_URL": broker_url,
        "TASK_QUEUE_NAME": f"tasks_{uuid4().hex}",
    }
    return Distributed(fleet(directory, environment))


@pytest.fixture
def distributed(fleet: type[Fleet], tmp_path: Path, postgres_url: str, rabbit_server: RabbitServer) -> Distributed:
    """On a database and a queue of its own, on the session's servers."""
    return distributed_on(fleet, tmp_path, postgres_url, rabbit_server.url)


@pytest.fixture(params=long_after(1, ["rabbit_server", "redis_server"]))
def on_each_broker(
    request: pytest.FixtureRequest, fleet: type[Fleet], tmp_path: Path, postgres_url: str
) -> Distributed:
    """As `distributed`, once on each broker: on Redis with `--long`; `test_redis.py` runs on it always."""
    return distributed_on(fleet, tmp_path, postgres_url, request.getfixturevalue(request.param).url)
