"""One service under test with its supervisor, which starts every process again that ends, as an operator's would."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ketline.config import variables
from tests.chaos.site.store import PostgresStore, SqliteStore
from tests.failpoints.births import ROOT, Life, Nursery
from tests.failpoints.control import Control

LEASE_SECONDS = 1
QUICK = {
    "KETLINE_LEASE_S": str(LEASE_SECONDS),
    "KETLINE_REAP_INTERVAL_S": "0.2",
    "KETLINE_DISPATCH_INTERVAL_S": "0.1",
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
class Member:
    """A place in the service, filled by one process after another; `worker_id` is of the present one."""

    name: str
    arguments: tuple[str, ...]
    starts: int = 0
    life: Life | None = None

    @property
    def worker_id(self) -> str:
        return f"{self.name}.{self.starts}"

    @property
    def pid(self) -> int | None:
        return self.life.pid if self.life is not None and not self.life.ended.is_set() else None


@dataclass(slots=True)
class Cell:
    """The service: its processes, its database as seen from outside, and a client."""

    nursery: Nursery
    directory: Path
    environment: Mapping[str, str]
    store: PostgresStore | SqliteStore
    http: httpx.AsyncClient
    members: tuple[Member, ...]
    # No process reaches the database for the time of the context.
    outage: Callable[[], AbstractAsyncContextManager[None]]
    control: Control = field(init=False)

    def __post_init__(self) -> None:
        self.control = Control(self.directory)

    @property
    def embedded(self) -> bool:
        return isinstance(self.store, SqliteStore)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Cell"]:
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

    async def _supervise(self, member: Member) -> None:
        while True:
            member.starts += 1
            environment = {**clean_environment(), **self.environment, "WORKER_ID": member.worker_id}
            member.life = await self.nursery.bear(
                self.directory, member.arguments, environment, f"{member.worker_id}.log"
            )
            try:
                await member.life.ended.wait()
            except asyncio.CancelledError:
                os.kill(member.life.pid, signal.SIGKILL)
                await member.life.ended.wait()
                raise


def clean_environment() -> dict[str, str]:
    """This process's environment without configuration of Ketline's, and quick intervals instead."""
    ours = {name for names in variables().values() for name in names} | {"KETLINE_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return {**inherited, **QUICK, "PYTHONPATH": str(ROOT)}
