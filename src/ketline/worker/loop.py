"""A worker: consumers that take one message at a time and run its task, and a stop that loses nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from ketline.domain.errors import ExecutionFailed
from ketline.ports.tasks import CircuitRunner, Clock, ConsumerSlot, RunnerFactory, TaskConsumer
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.health.simulators import SimulatorStatus
from ketline.worker.consumers import ConsumerLimit
from ketline.worker.occupancy import Occupancy
from ketline.worker.pool import ACQUIRE_TIMEOUT_SECONDS, SimulatorPool
from ketline.worker.retrying import LONGEST_RETRY_SECONDS, RETRY_SECONDS, pause, until_available
from ketline.worker.short import ShortPrograms, ShortSlot

log = structlog.get_logger()

CONSUMERS_PER_SLOT = 16


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs tasks in `slots` simulator processes, for which consumers of prefetch 1 receive the messages.

    There is one consumer for each slot, and up to `consumers_per_slot` while programs are short: then several tasks
    share the statements that claim and record them, and a simulator finds its next task claimed. While all slots are
    occupied, `short_programs` run beside them.
    """

    consumer: TaskConsumer
    runners: RunnerFactory
    process: ProcessTask
    clock: Clock
    slots: int
    grace_seconds: float
    consumers_per_slot: int = CONSUMERS_PER_SLOT
    simulators: SimulatorStatus | None = None
    short_programs: ShortPrograms | None = None
    acquire_timeout_seconds: float = ACQUIRE_TIMEOUT_SECONDS

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let running tasks end within the grace time and hand back the rest."""
        limit, occupancy = ConsumerLimit(), Occupancy()
        pool = SimulatorPool(
            self.clock, lambda: limit.allow(self._allowed(pool)), self.acquire_timeout_seconds, occupancy=occupancy
        )
        simulators = self.simulators or SimulatorStatus(self.slots)
        slots = [asyncio.create_task(self._slot(number, pool, simulators, stop)) for number in range(self.slots)]
        working = [
            asyncio.create_task(self._consumer(number, limit, pool, stop))
            for number in range(self.slots * self.consumers_per_slot)
        ]
        if self.short_programs is not None:
            short_slot = ShortSlot(self.consumer, self.process, self.short_programs, occupancy, stop)
            working.append(asyncio.create_task(short_slot.run()))
        log.info("worker.started", slots=self.slots)
        try:
            await stop.wait()
            log.info("worker.stopping", grace_seconds=self.grace_seconds)
            limit.close()
            occupancy.close()
            await asyncio.wait(working, timeout=self.grace_seconds)
        finally:
            # Simulators last: those who have one must be done with it.
            await _end(working)
            await _end(slots)
            log.info("worker.stopped")

    def _allowed(self, pool: SimulatorPool) -> int:
        return pool.size * self.consumers_per_slot if pool.short else pool.size

    async def _slot(self, number: int, pool: SimulatorPool, simulators: SimulatorStatus, stop: asyncio.Event) -> None:
        """Keep a simulator of this slot in the pool; while there is none, no consumer is active for it."""
        seconds = RETRY_SECONDS
        while not stop.is_set():
            try:
                async with self.runners.open_runner() as runner, pool.offering(runner) as failed:
                    simulators.started(number)
                    seconds = RETRY_SECONDS
                    await failed.wait()
                continue  # another runner may start one, or say why it cannot
            except ExecutionFailed as error:
                simulators.failed(number, str(error))
            except Exception as error:
                log.exception("slot.crashed", slot=number)
                simulators.failed(number, str(error))
            finally:
                simulators.ended(number)
            await pause(stop, seconds)
            seconds = min(2 * seconds, LONGEST_RETRY_SECONDS)

    async def _consumer(self, number: int, limit: ConsumerLimit, runner: CircuitRunner, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with limit.active() as active:
                    if active:
                        async with self.consumer.open_slot() as slot:
                            await self._consume(slot, limit, runner, stop)
            except Exception:
                log.exception("slot.crashed", slot=number)
                await pause(stop)

    async def _consume(
        self, slot: ConsumerSlot, limit: ConsumerLimit, runner: CircuitRunner, stop: asyncio.Event
    ) -> None:
        while (delivery := await limit.receive(slot)) is not None:
            if await until_available(delivery, partial(self.process, delivery.task_id, runner), stop):
                await delivery.acknowledge()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
