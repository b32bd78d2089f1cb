"""Tell, in bounded time, whether the database takes writes and the queue answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from ketline.domain.errors import DatabaseUnavailable, KetlineError, QueueUnavailable, ServiceUnavailable
from ketline.ports.repositories import DatabaseProbe
from ketline.ports.tasks import TaskPublisher
from ketline.service.health.simulators import SimulatorStatus

log = structlog.get_logger()

# A database that is probed often is written to once in this time.
WRITE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What is wrong with the database and with the queue, as the code of an error; None where all is well.

    `simulator_problem` says in words why no program can be run by the worker in this process, where there is one.
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
        """The names of what cannot be used."""
        named: dict[Literal["database", "queue", "simulators"], bool] = {
            "database": self.database_connected,
            "queue": self.queue_connected,
            "simulators": self.simulator_problem is None,
        }
        return [name for name, connected in named.items() if not connected]

    @property
    def healthy(self) -> bool:
        return self.database_connected and self.queue_connected


class CheckHealth:
    """Probes both at once and gives neither more than `timeout_seconds`; callers at the same time share the probes.

    A database that took a write in the last `write_seconds` is asked to answer only.
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
    """One probe under way at a time: what hangs must not be probed again and again."""

    def __init__(self, ping: Callable[[], Awaitable[None]], silent: type[KetlineError], timeout_seconds: float) -> None:
        self._ping = ping
        self._silent = silent
        self._timeout_seconds = timeout_seconds
        self._probing: asyncio.Task[str | None] | None = None

    async def problem(self) -> str | None:
        """The code of what is wrong, that of no answer when none came in time; such a probe is left to end by itself.

        Cancelling it would wait for it: database transactions run to their end.
        """
        # This caller's own probe: by the time that it has ended another caller may have begun the next one.
        probing = self._probing
        if probing is None or probing.done():
            probing = self._probing = asyncio.create_task(self._probe())
        done, _ = await asyncio.wait([probing], timeout=self._timeout_seconds)
        return probing.result() if done else self._silent.code

    async def _probe(self) -> str | None:
        try:
            await self._ping()
        except ServiceUnavailable as error:
            return error.code
        except Exception:
            log.exception("health.crashed")
            return KetlineError.code
        return None
