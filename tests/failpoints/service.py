"""A service under test: its supervisor starts every process again that ends, as an operator's would."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ketline.config import variables
from tests.chaos.testbed.store import PostgresStore, SqliteStore
from tests.failpoints.control import Control
from tests.failpoints.remotes import Remotes
from tests.forking.client import ROOT, ForkedProcess, ForkServer

LEASE_SECONDS = 1
# A request to a process that hangs is repeated after this time.
CLIENT_SECONDS = 2.0
QUICK = {
    "KETLINE_LEASE_S": str(LEASE_SECONDS),
    # More often, and the ten processes that run at a time take half a core for polling alone.
    "KETLINE_REAP_INTERVAL_S": "0.25",
    "KETLINE_DISPATCH_INTERVAL_S": "0.2",
    "KETLINE_REDISPATCH_S": "1",
    "KETLINE_SHUTDOWN_GRACE_S": "0",
    "KETLINE_WORKER_SLOTS": "1",
    "KETLINE_SIMULATOR_THREADS": "1",
    "KETLINE_SIMULATOR_MEMORY_MB": "512",
    "KETLINE_LOG_FORMAT": "json",
    "KETLINE_LOG_LEVEL": "info",
    "WORKER_RETRY_DELAY_S": "0.1",
    "WORKER_MAX_RETRIES": "9",
    "KETLINE_MAX_CRASHES": "9",
}


@dataclass(slots=True)
class Process:
    """A process of the service, which is started again whenever it ends; `worker_id` is that of the current one."""

    name: str
    arguments: tuple[str, ...]
    starts: int = 0
    process: ForkedProcess | None = None

    @property
    def worker_id(self) -> str:
        return f"{self.name}.{self.starts}"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.returncode is None else None


@dataclass(slots=True)
class Service:
    """The service: its processes, its database as seen from outside, and a client."""

    fork_server: ForkServer
    directory: Path
    environment: Mapping[str, str]
    store: PostgresStore | SqliteStore
    http: httpx.AsyncClient
    members: tuple[Process, ...]
    remotes: Remotes
    # No process reaches the database for the time of the context.
    outage: Callable[[], AbstractAsyncContextManager[None]]
    control: Control = field(init=False)

    def __post_init__(self) -> None:
        self.control = Control(self.directory)

    @property
    def embedded(self) -> bool:
        return isinstance(self.store, SqliteStore)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        """Supervise the processes for the time of the context."""
        supervisors = [asyncio.create_task(self._supervise(member)) for member in self.members]
        try:
            yield self
        finally:
            for supervisor in supervisors:
                supervisor.cancel()
            await asyncio.gather(*supervisors, return_exceptions=True)

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Signal a process of this service, unless it has ended or been replaced already."""
        if pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def pids(self) -> set[int]:
        return {member.pid for member in self.members if member.pid is not None}

    def holder(self, worker_id: str) -> int | None:
        """The living process of this worker id."""
        return next((member.pid for member in self.members if member.worker_id == worker_id), None)

    async def _supervise(self, member: Process) -> None:
        while True:
            member.starts += 1
            settings = {**self.remotes.environment, **self.environment, "WORKER_ID": member.worker_id}
            environment = {**clean_environment(), **settings}
            with (self.directory / f"{member.worker_id}.log").open("w") as log:
                member.process = await self.fork_server.fork(
                    self.directory, member.arguments, environment, log.fileno()
                )
            try:
                await member.process.wait()
            except asyncio.CancelledError:
                member.process.kill()
                await member.process.wait()
                raise


def clean_environment() -> dict[str, str]:
    """This process's environment without configuration of Ketline's, and quick intervals instead."""
    ours = {name for names in variables().values() for name in names} | {"KETLINE_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return {**inherited, **QUICK, "PYTHONPATH": str(ROOT)}
