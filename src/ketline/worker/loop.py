"""The worker: consumers receive queue messages and run their tasks in a pool of simulators, until a graceful stop.

`cli/server/serve.py` builds and runs the `Worker`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from ketline.domain.errors import ExecutionFailed
from ketline.domain.tasks.queues import SIMULATIONS
from ketline.ports.clock import Clock
from ketline.ports.tasks.queue import ConsumerSlot, TaskConsumer
from ketline.ports.tasks.runner import CircuitRunner, RunnerFactory
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.claim_gate import ClaimGate
from ketline.service.health.simulators import SimulatorStatus
from ketline.worker.consumers import ConsumerLimit
from ketline.worker.occupancy import Occupancy
from ketline.worker.pool import ACQUIRE_TIMEOUT_SECONDS, SimulatorPool
from ketline.worker.retries import MAX_RETRY_SECONDS, RETRY_SECONDS, pause, until_available
from ketline.worker.short_slot import ShortPrograms, ShortSlot

log = structlog.get_logger()

CONSUMERS_PER_SLOT = 16


class OtherSlots(Protocol):
    """The slots of a queue that is not the queue of simulations."""

    async def run(self) -> None:
        """Run tasks until the worker stops."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs tasks in `slots` simulator processes; consumers with a prefetch of 1 receive the messages.

    There is one consumer for each slot, and up to `consumers_per_slot` while programs are short: then one SQL statement
    claims or records several tasks, and a simulator's next task is already claimed. While all slots run long programs,
    `short_programs` runs short ones beside them. `other_queues` gives the slots of the other queues that this worker
    consumes; a worker that consumes no simulations has no `slots`. `gate` stops all of them while claims are stopped.
    """

    consumer: TaskConsumer
    runners: RunnerFactory
    process: ProcessTask
    clock: Clock
    slots: int
    grace_seconds: float
    consumers_per_slot: int = CONSUMERS_PER_SLOT
    simulators: SimulatorStatus | None = None
    other_queues: Callable[[asyncio.Event], Sequence[OtherSlots]] = lambda _stop: ()
    short_programs: ShortPrograms | None = None
    acquire_timeout_seconds: float = ACQUIRE_TIMEOUT_SECONDS
    gate: ClaimGate = field(default_factory=ClaimGate)

    async def run(self, stop: asyncio.Event) -> None:
        """Run tasks until `stop` is set; then give running tasks the grace time to end, and hand back the rest."""
        limit, occupancy = ConsumerLimit(), Occupancy()
        self.gate.add(SIMULATIONS, limit)
        pool = SimulatorPool(
            self.clock,
            lambda: limit.allow(self._allowed_consumers(pool)),
            self.acquire_timeout_seconds,
            occupancy=occupancy,
        )
        simulators = self.simulators or SimulatorStatus(self.slots)
        slots = [asyncio.create_task(self._slot(number, pool, simulators, stop)) for number in range(self.slots)]
        consumers = [
            asyncio.create_task(self._consumer(number, limit, pool, stop))
            for number in range(self.slots * self.consumers_per_slot)
        ]
        consumers += [asyncio.create_task(others.run()) for others in self.other_queues(stop)]
        if self.short_programs is not None and self.slots:
            short_slot = ShortSlot(self.consumer, self.process, self.short_programs, occupancy, stop, self.gate)
            consumers.append(asyncio.create_task(short_slot.run()))
        log.info("worker.started", slots=self.slots)
        try:
            await stop.wait()
            log.info("worker.stopping", grace_seconds=self.grace_seconds)
            limit.close()
            occupancy.close()
            await asyncio.wait(consumers, timeout=self.grace_seconds)
        finally:
            # Simulators end last, because consumers may still be using them.
            await _cancel(consumers)
            await _cancel(slots)
            log.info("worker.stopped")

    def _allowed_consumers(self, pool: SimulatorPool) -> int:
        return pool.size * self.consumers_per_slot if pool.short else pool.size

    async def _slot(self, number: int, pool: SimulatorPool, simulators: SimulatorStatus, stop: asyncio.Event) -> None:
        """Keep a simulator for this slot in the pool, and start another when it ends; log why none can be started."""
        seconds = RETRY_SECONDS
        while not stop.is_set():
            try:
                async with self.runners.open_runner(pool.drop_idle) as runner, pool.added(runner) as failed:
                    simulators.started(number)
                    seconds = RETRY_SECONDS
                    await failed.wait()
                continue  # open another runner, which starts a simulator or raises the reason why it cannot
            except ExecutionFailed as error:
                simulators.failed(number, str(error))
            except Exception as error:
                log.exception("slot.crashed", slot=number)
                simulators.failed(number, str(error))
            finally:
                simulators.ended(number)
            await pause(stop, seconds)
            seconds = min(2 * seconds, MAX_RETRY_SECONDS)

    async def _consumer(self, number: int, limit: ConsumerLimit, runner: CircuitRunner, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with limit.active(number) as active:
                    if active:
                        async with self.consumer.open_slot(name=self._name(number)) as slot:
                            await self._consume(number, slot, limit, runner, stop)
            except Exception:
                log.exception("slot.crashed", slot=number)
                await pause(stop)

    def _name(self, number: int) -> str:
        """A consumer's name at the broker; those of a slot that claim ahead are active while programs are short."""
        ahead, slot = divmod(number, self.slots)
        return f"slot {slot + 1} ahead {ahead}" if ahead else f"slot {slot + 1}"

    async def _consume(
        self, number: int, slot: ConsumerSlot, limit: ConsumerLimit, runner: CircuitRunner, stop: asyncio.Event
    ) -> None:
        while (delivery := await limit.receive(number, slot)) is not None:
            if await until_available(
                delivery, partial(self.process, delivery.task_id, runner, delivery.trace_context), stop
            ):
                await delivery.acknowledge()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
