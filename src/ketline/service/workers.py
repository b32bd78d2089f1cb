"""Let others know that a worker lives, and forget those that no longer say so."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from ketline.domain.errors import ServiceUnavailable
from ketline.domain.worker import WorkerIdentity
from ketline.ports.inspection import WorkerRegistry
from ketline.ports.tasks import Clock
from ketline.service.simulators import SimulatorStatus

log = structlog.get_logger()

BEATS_PER_LIFETIME = 3
FORGET_AFTER = timedelta(minutes=1)
FORGET_INTERVAL_SECONDS = 60.0


@dataclass(slots=True)
class Heartbeat:
    """Says at every beat that this worker lives, and at the end that it stops.

    It only ever tells: a worker whose beats fail works on, and is not listed meanwhile.
    """

    registry: WorkerRegistry
    clock: Clock
    identity: WorkerIdentity
    interval_seconds: float
    simulators: SimulatorStatus | None = None
    _started_at: datetime | None = field(default=None, init=False)
    _failing: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Beat until cancelled, then say good-bye."""
        try:
            while True:
                await self._beat()
                await self.clock.sleep(self.interval_seconds)
        finally:
            if self._started_at is not None:
                with suppress(ServiceUnavailable):
                    await self.registry.leave(self.identity.worker_id, self._started_at)

    async def _beat(self) -> None:
        lifetime = timedelta(seconds=BEATS_PER_LIFETIME * self.interval_seconds)
        try:
            condition = self.simulators.condition if self.simulators is not None else None
            self._started_at = await self.registry.beat(self.identity, self._started_at, lifetime, condition)
        except Exception as error:
            # Once for each time it begins to fail: it is tried again at every beat.
            if not self._failing:
                log.warning("worker.beat_failed", error=str(error), exc_info=not isinstance(error, ServiceUnavailable))
            self._failing = True
        else:
            self._failing = False


@dataclass(frozen=True, slots=True)
class LostWorkers:
    """Forgets workers that ended without a word; one runs in every API process."""

    registry: WorkerRegistry
    clock: Clock

    async def run(self) -> None:
        """Forget until cancelled."""
        while True:
            await self.clock.sleep(FORGET_INTERVAL_SECONDS)
            try:
                await self.registry.forget_lost(FORGET_AFTER)
            except ServiceUnavailable as error:
                log.debug("workers.not_forgotten", code=error.code)
            except Exception:
                log.exception("workers.crashed")
