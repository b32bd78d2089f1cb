"""A worker: lanes that take one message at a time and see it through, and a stop that loses nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from ketline.domain.errors import ExecutionFailed, ServiceUnavailable
from ketline.ports.tasks import CircuitRunner, Clock, ConsumerSlot, Delivery, RunnerFactory, TaskConsumer
from ketline.service.process import ProcessTask
from ketline.service.simulators import SimulatorStatus
from ketline.worker.consumers import ConsumerLimit
from ketline.worker.pool import SimulatorPool

log = structlog.get_logger()

RETRY_SECONDS = 1.0
# A simulator that cannot be started is tried again after a pause that doubles up to this.
LONGEST_RETRY_SECONDS = 10.0
CONSUMERS_PER_SLOT = 16


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs tasks in `slots` simulator processes, for which lanes take messages, each with a consumer of prefetch 1.

    As a rule there is a lane for each slot. While programs are short there are up to `consumers_per_slot`: claims and
    records of several tasks share statements then, and a simulator finds its next task claimed.
    """

    consumer: TaskConsumer
    runners: RunnerFactory
    process: ProcessTask
    clock: Clock
    slots: int
    grace_seconds: float
    consumers_per_slot: int = CONSUMERS_PER_SLOT
    simulators: SimulatorStatus | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let running tasks end within the grace time and hand back the rest."""
        lanes = ConsumerLimit()
        pool = SimulatorPool(self.clock, lambda: lanes.allow(self._allowed(pool)))
        simulators = self.simulators or SimulatorStatus(self.slots)
        slots = [asyncio.create_task(self._slot(number, pool, simulators, stop)) for number in range(self.slots)]
        working = [
            asyncio.create_task(self._lane(number, lanes, pool, stop))
            for number in range(self.slots * self.consumers_per_slot)
        ]
        log.info("worker.started", slots=self.slots)
        try:
            await stop.wait()
            log.info("worker.stopping", grace_seconds=self.grace_seconds)
            lanes.close()
            await asyncio.wait(working, timeout=self.grace_seconds)
        finally:
            # Simulators last: those who have one must be done with it.
            await _end(working)
            await _end(slots)
            log.info("worker.stopped")

    def _allowed(self, pool: SimulatorPool) -> int:
        return pool.size * self.consumers_per_slot if pool.short else pool.size

    async def _slot(self, number: int, pool: SimulatorPool, simulators: SimulatorStatus, stop: asyncio.Event) -> None:
        """Keep a simulator in the pool, which has no lane for this slot while there is none."""
        pause = RETRY_SECONDS
        while not stop.is_set():
            try:
                async with self.runners.open_runner() as runner, pool.offering(runner) as failed:
                    simulators.started(number)
                    pause = RETRY_SECONDS
                    await failed.wait()
                continue  # another runner may start one, or say why it cannot
            except ExecutionFailed as error:
                simulators.failed(number, str(error))
            except Exception as error:
                log.exception("slot.crashed", slot=number)
                simulators.failed(number, str(error))
            finally:
                simulators.ended(number)
            await self._pause(stop, pause)
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)

    async def _lane(self, number: int, lanes: ConsumerLimit, runner: CircuitRunner, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with lanes.inside() as let_in:
                    if let_in:
                        async with self.consumer.open_slot() as slot:
                            await self._consume(slot, lanes, runner, stop)
            except Exception:
                log.exception("slot.crashed", slot=number)
                await self._pause(stop)

    async def _consume(
        self, slot: ConsumerSlot, lanes: ConsumerLimit, runner: CircuitRunner, stop: asyncio.Event
    ) -> None:
        while (delivery := await lanes.receive(slot)) is not None:
            if await self._see_through(delivery, runner, stop):
                await delivery.acknowledge()

    async def _see_through(self, delivery: Delivery, runner: CircuitRunner, stop: asyncio.Event) -> bool:
        """Whether the message is dealt with; a stop while the database is away leaves it to others."""
        while not stop.is_set():
            try:
                await self.process(delivery.task_id, runner)
            except ServiceUnavailable as error:
                log.warning(
                    "task.claim_delayed",
                    task_id=str(delivery.task_id),
                    correlation_id=delivery.correlation_id,
                    error=str(error),
                )
                await self._pause(stop)  # guard: worker.message_waits
            else:
                return True
        return False

    async def _pause(self, stop: asyncio.Event, seconds: float = RETRY_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            pass


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
