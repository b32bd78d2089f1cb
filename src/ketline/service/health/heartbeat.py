"""The list of live workers: each worker's heartbeat, and the removal of workers whose heartbeats stopped.

`runtime` runs a `Heartbeat` in each worker, and a `LostWorkerCleanup` in each API process.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.errors import ServiceUnavailable
from ketline.ports.clock import Clock
from ketline.ports.operations.workers import WorkerRegistry
from ketline.service.health.simulators import SimulatorStatus
from ketline.service.loop import Loop

BEATS_PER_LIFETIME = 3
REMOVE_AFTER = timedelta(minutes=1)
CLEANUP_INTERVAL_SECONDS = 60.0


@dataclass(slots=True)
class Heartbeat:
    """Registers this worker at every beat, and removes it from the registry when it stops.

    The registry is for display only: a worker whose heartbeats fail is not listed, but continues to run tasks.
    """

    registry: WorkerRegistry
    clock: Clock
    identity: WorkerIdentity
    interval_seconds: float
    simulators: SimulatorStatus | None = None
    draining_since: Callable[[], datetime | None] = lambda: None
    _started_at: datetime | None = field(default=None, init=False)

    async def run(self) -> None:
        """Send heartbeats until cancelled, then remove the worker from the registry."""
        loop = Loop(
            self._beat,
            self.interval_seconds,
            delayed="worker.beat_failed",
            crashed="worker.beat_failed",
            sleep=self.clock.sleep,
        )
        try:
            await loop.run()
        finally:
            if self._started_at is not None:
                with suppress(ServiceUnavailable):
                    await self.registry.leave(self.identity.worker_id, self._started_at)

    async def _beat(self) -> None:
        lifetime = timedelta(seconds=BEATS_PER_LIFETIME * self.interval_seconds)
        condition = self.simulators.condition if self.simulators is not None else None
        if condition is not None:
            condition = replace(condition, draining_since=self.draining_since())
        self._started_at = await self.registry.beat(self.identity, self._started_at, lifetime, condition)


@dataclass(frozen=True, slots=True)
class LostWorkerCleanup:
    """Removes workers that ended without leaving the registry, for example in a crash; runs in every API process."""

    registry: WorkerRegistry
    clock: Clock

    async def run(self) -> None:
        """Remove lost workers at intervals until cancelled."""
        # After an outage of the whole service, first give live workers time for a heartbeat.
        await self.clock.sleep(CLEANUP_INTERVAL_SECONDS)
        await Loop(
            lambda: self.registry.remove_lost(REMOVE_AFTER),
            CLEANUP_INTERVAL_SECONDS,
            delayed="workers.cleanup_failed",
            crashed="workers.crashed",
            sleep=self.clock.sleep,
            quiet=True,
        ).run()
