"""Where the benchmark's processes run: a directory with their data and log, and the servers that they share."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.connection import connect
from benchmarks.processes import Account, children, end, start_ketline, start_module
from tests.servers import PostgresServer, RabbitServer, RedisServer
from tests.servers.ports import free_ports

START_SECONDS = 60.0
SLOTS = 2
LOG = "ketline.log"
Broker = RabbitServer | RedisServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A directory, the settings of every process there, and the accounts of the servers among these, if any."""

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)

    @property
    def _log(self) -> Path:
        return self.directory / LOG

    @property
    def database_url(self) -> str:
        """The URL of the database that processes of this site use."""
        return self.settings.get("DATABASE_URL", f"sqlite+aiosqlite:///{self.directory / 'ketline.db'}")

    @asynccontextmanager
    async def ketline(self, *arguments: str, **settings: str) -> AsyncIterator[Process]:
        """A `ketline` process for the time of the context, with `settings` of its own beside the site's."""
        with self._log.open("ab") as log:
            process = await start_ketline(
                *arguments, directory=self.directory, log=log, settings={**self.settings, **settings}
            )
            async with _ending(process):
                yield process

    @asynccontextmanager
    async def module(self, name: str, *arguments: str, **settings: str) -> AsyncIterator[Process]:
        """A program as of `start_module`, likewise."""
        with self._log.open("ab") as log:
            process = await start_module(name, *arguments, log=log, settings={**self.settings, **settings})
            async with _ending(process):
                yield process

    @asynccontextmanager
    async def serving(self, role: str, **settings: str) -> AsyncIterator[tuple[int, Process]]:
        """`ketline api` or `ketline up`, and its port, once it is healthy."""
        (port,) = free_ports(1)
        async with self.ketline(role, "--port", str(port), **settings) as process:
            await ready(port, process)
            yield port, process


@asynccontextmanager
async def _ending(process: Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await end(process)


@contextmanager
def open_site() -> Iterator[Site]:
    """A temporary directory and no servers, for an embedded service."""
    with _directory() as directory:
        yield Site(
            directory=directory, settings={"KETLINE_DATA_DIR": str(directory), "KETLINE_WORKER_SLOTS": str(SLOTS)}
        )


@asynccontextmanager
async def open_servers(broker: Callable[[], Broker] = RabbitServer) -> AsyncIterator[Site]:
    """PostgreSQL that syncs every commit, with a migrated database, and a broker."""
    async with AsyncExitStack() as stack:
        before = children()
        postgres = await stack.enter_async_context(PostgresServer(durable=True))
        (database_pid,) = children() - before
        queue = broker()
        await stack.enter_async_context(queue)
        (broker_pid,) = children() - before - {database_pid}
        await postgres.create_database("ketline")
        site = Site(
            directory=stack.enter_context(_directory()),
            settings={
                "DATABASE_URL": postgres.url("ketline"),
                "KETLINE_QUEUE_URL": queue.url,
                "KETLINE_WORKER_SLOTS": str(SLOTS),
            },
            accounts={"database": Account(database_pid), "broker": Account(broker_pid)},
        )
        async with site.ketline("migrate") as migrating:
            if await migrating.wait():
                raise RuntimeError("ketline migrate failed")
        yield site


@contextmanager
def _directory() -> Iterator[Path]:
    """A temporary directory; what the service logged last goes with an error on its way out."""
    with TemporaryDirectory(prefix="ketline-benchmark-") as name:
        try:
            yield Path(name)
        except Exception as error:
            error.add_note(f"The service logged last:\n{_last_lines(Path(name))}")
            raise


async def ready(port: int, process: Process) -> None:
    """Return when the service that `process` serves on `port` is healthy.

    Raises:
        RuntimeError: the process ended first.
        TimeoutError: it took too long.
    """
    async with asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"ketline ended with {process.returncode} before it was ready")
            try:
                async with connect(port) as connection:
                    await connection.read("/health")
            except (OSError, RuntimeError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)
            else:
                return


def _last_lines(directory: Path) -> str:
    log = directory / LOG
    return log.read_text(errors="replace")[-4000:] if log.exists() else ""
