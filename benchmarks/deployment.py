"""A whole service of real processes for the time of a context, in either mode, on throwaway data."""

import asyncio
import os
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.connection import connect
from benchmarks.processes import Account, children, end, start_ketline
from tests.servers import PostgresServer, RabbitServer
from tests.servers.ports import free_ports

START_SECONDS = 60.0
SLOTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A running service: where it listens, its database, and whose processor time counts for what."""

    mode: str
    port: int
    database_url: str
    accounts: Mapping[str, Account]


@asynccontextmanager
async def open_embedded() -> AsyncIterator[Deployment]:
    """`ketline up` on a new data directory."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(_directory())
        (port,) = free_ports(1)
        up = await _start(stack, directory, "up", "--port", str(port), KETLINE_DATA_DIR=str(directory), **_slots())
        await _ready(port, up)
        yield Deployment(
            mode="embedded",
            port=port,
            database_url=f"sqlite+aiosqlite:///{directory / 'ketline.db'}",
            accounts={"service": Account(up.pid, "root"), "simulators": Account(up.pid, "below"), **_load_account()},
        )


@asynccontextmanager
async def open_distributed() -> AsyncIterator[Deployment]:
    """PostgreSQL that syncs every commit, RabbitMQ, one `ketline api` and one `ketline worker`."""
    async with AsyncExitStack() as stack:
        before = children()
        postgres = await stack.enter_async_context(PostgresServer(durable=True))
        (database_pid,) = children() - before
        rabbit = await stack.enter_async_context(RabbitServer())
        (broker_pid,) = children() - before - {database_pid}
        await postgres.create_database("ketline")
        directory = stack.enter_context(_directory())
        (port,) = free_ports(1)
        servers = {"DATABASE_URL": postgres.url("ketline"), "RABBITMQ_URL": rabbit.url, **_slots()}
        if await (await _start(stack, directory, "migrate", **servers)).wait():
            raise RuntimeError("ketline migrate failed")
        api = await _start(stack, directory, "api", "--port", str(port), **servers)
        worker = await _start(stack, directory, "worker", **servers)
        await _ready(port, api)
        yield Deployment(
            mode="distributed",
            port=port,
            database_url=postgres.url("ketline"),
            accounts={
                "api": Account(api.pid, "root"),
                "worker": Account(worker.pid, "root"),
                "simulators": Account(worker.pid, "below"),
                "database": Account(database_pid),
                "broker": Account(broker_pid),
                **_load_account(),
            },
        )


@contextmanager
def _directory() -> Iterator[Path]:
    """A temporary directory; what the service logged last goes with an error on its way out."""
    with TemporaryDirectory(prefix="ketline-benchmark-") as name:
        try:
            yield Path(name)
        except Exception as error:
            error.add_note(f"The service logged last:\n{_log(Path(name))}")
            raise


def _slots() -> dict[str, str]:
    return {"KETLINE_WORKER_SLOTS": str(SLOTS)}


def _load_account() -> dict[str, Account]:
    return {"load generator": Account(os.getpid(), "root")}


async def _start(stack: AsyncExitStack, directory: Path, *arguments: str, **settings: str) -> Process:
    log = stack.enter_context((directory / "ketline.log").open("ab"))
    process = await start_ketline(*arguments, directory=directory, log=log, settings=settings)
    stack.push_async_callback(end, process)
    return process


async def _ready(port: int, process: Process) -> None:
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


def _log(directory: Path) -> str:
    log = directory / "ketline.log"
    return log.read_text(errors="replace")[-4000:] if log.exists() else ""
