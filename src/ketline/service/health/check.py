"""The health check: whether the database accepts writes and the queue responds, in bounded time.

The health endpoints of API and worker call it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from ketline.domain.errors import DatabaseUnavailable, KetlineError, QueueUnavailable, ServiceUnavailable
from ketline.ports.tasks.queue import TaskPublisher
from ketline.ports.tasks.repositories import DatabaseProbe
from ketline.service.health.simulators import SimulatorStatus

log = structlog.get_logger()

# The database is written to at most once in this time, however often it is probed.
WRITE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The error codes of the problems of database and queue, None without a problem.

    `simulator_problem` is a sentence that says why the worker of this process can run no program, None when it can or
    when the process has no worker.
    """

    database_problem: str | None
    queue_problem: str | None
    simulator_problem: str | None = None

    @property
    def database_connected(self) -> bool:
        return self.database_problem is None

    @property
    def queue_connected(self) -> bool:
        return self.queue_problem is None

    @property
    def missing(self) -> list[Literal["database", "queue", "simulators"]]:
        """The names of the parts that have a problem."""
        working: dict[Literal["database", "queue", "simulators"], bool] = {
            "database": self.database_connected,
            "queue": self.queue_connected,
            "simulators": self.simulator_problem is None,
        }
        return [name for name, works in working.items() if not works]

    @property
    def healthy(self) -> bool:
        return self.database_connected and self.queue_connected


class CheckHealth:
    """Probes database and queue concurrently, for at most `timeout_seconds`; concurrent callers share the probes.

    A database that accepted a write in the last `write_seconds` only has to answer a query.
    """

    def __init__(
        self,
        repository: DatabaseProbe,
        publisher: TaskPublisher,
        timeout_seconds: float,
        *,
        write_seconds: float = WRITE_SECONDS,
        simulators: SimulatorStatus | None = None,
    ) -> None:
        self._simulators = simulators
        self._repository = repository
        self._write_seconds = write_seconds
        self._write_at = 0.0
        self._database = _Probe(self._probe_database, DatabaseUnavailable, timeout_seconds)
        self._queue = _Probe(publisher.ping, QueueUnavailable, timeout_seconds)

    async def __call__(self) -> HealthReport:
        database, queue = await asyncio.gather(self._database.problem(), self._queue.problem())
        return HealthReport(database, queue, self._simulators.problem if self._simulators is not None else None)

    async def _probe_database(self) -> None:
        clock = asyncio.get_running_loop().time
        if clock() < self._write_at:
            await self._repository.ping()
        else:
            await self._repository.check_writable()
            self._write_at = clock() + self._write_seconds


class _Probe:
    """Runs at most one probe at a time, so that probes of a server that hangs do not pile up."""

    def __init__(
        self, ping: Callable[[], Awaitable[None]], unanswered: type[KetlineError], timeout_seconds: float
    ) -> None:
        self._ping = ping
        self._unanswered = unanswered
        self._timeout_seconds = timeout_seconds
        self._probing: asyncio.Task[str | None] | None = None

    async def problem(self) -> str | None:
        """The error code of the problem, or None; a probe that exceeds its time counts as failed but continues.

        It is not cancelled, because the cancellation would wait for the database transaction to end.
        """
        # A local variable: when this probe has ended, another caller may have started the next one.
        probing = self._probing
        if probing is None or probing.done():
            probing = self._probing = asyncio.create_task(self._probe())
        done, _ = await asyncio.wait([probing], timeout=self._timeout_seconds)
        return probing.result() if done else self._unanswered.code

    async def _probe(self) -> str | None:
        try:
            await self._ping()
        except ServiceUnavailable as error:
            return error.code
        except Exception:
            log.exception("health.crashed")
            return KetlineError.code
        return None
