"""Fixtures for every test: throwaway servers, one per session to share and private ones to break."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog

from deploy.release.chart import unpack_helm
from tests.kubernetes.helm import Helm
from tests.loops import await_apart
from tests.servers import PostgresServer, RabbitServer, RedisServer

# Unconfigured, structlog draws tracebacks with all local variables, which takes seconds for one exception.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collects tests with the garbage collector off, which then never looks at them and their modules again.

    They stay until the end; to look at them took a third of the time of collecting and a tenth of that of unit tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL; tests share it, so each makes a database of its own and none stops it."""
    server = PostgresServer()
    try:
        await_apart(server.start())
        yield server
    finally:
        await_apart(server.close())


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[RabbitServer]:
    """The session's RabbitMQ; tests share it, so each declares queues of its own and none stops it."""
    server = RabbitServer()
    try:
        await_apart(server.start())
        yield server
    finally:
        await_apart(server.close())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's Redis; tests share it, so each uses queues of its own and none stops or flushes it."""
    server = RedisServer()
    try:
        await_apart(server.start())
        yield server
    finally:
        await_apart(server.close())


@pytest.fixture
async def private_postgres_server() -> AsyncIterator[Callable[..., Awaitable[PostgresServer]]]:
    """Starts PostgreSQL servers that this test may stop and kill: `await private_postgres_server(durable=True)`."""
    async with AsyncExitStack() as servers:

        async def start(
            *, durable: bool = False, max_connections: int = 200, standby_of: PostgresServer | None = None
        ) -> PostgresServer:
            server = PostgresServer(durable=durable, max_connections=max_connections, standby_of=standby_of)
            return await servers.enter_async_context(server)

        yield start


@pytest.fixture
async def private_rabbit_server() -> AsyncIterator[Callable[[], Awaitable[RabbitServer]]]:
    """Starts RabbitMQ servers that this test may stop and kill: `await private_rabbit_server()`."""
    async with AsyncExitStack() as servers:

        async def start() -> RabbitServer:
            return await servers.enter_async_context(RabbitServer())

        yield start


@pytest.fixture
async def private_redis_server() -> AsyncIterator[Callable[..., Awaitable[RedisServer]]]:
    """Starts Redis servers that this test may stop, kill and flush: `await private_redis_server(durable=True)`."""
    async with AsyncExitStack() as servers:

        async def start(*, durable: bool = False) -> RedisServer:
            return await servers.enter_async_context(RedisServer(durable=durable))

        yield start


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    """Real Helm, with the chart of this repository."""
    with TemporaryDirectory() as directory:
        yield Helm(unpack_helm(Path(directory)), Path(directory))


pytest_plugins = ["tests.databases", "tests.forking.fixtures", "tests.schedule"]
