"""A worker: slots that take one message at a time and see it through, and a stop that loses nothing."""

import asyncio
from dataclasses import dataclass

import structlog

from ketline.domain.errors import ExecutionFailed, ServiceUnavailable
from ketline.ports.tasks import CircuitRunner, Clock, ConsumerSlot, Delivery, RunnerFactory, TaskConsumer
from ketline.service.process import ProcessTask

log = structlog.get_logger()

RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs tasks in `slots` slots, each with one consumer of prefetch 1 and one simulator process."""

    consumer: TaskConsumer
    runners: RunnerFactory
    process: ProcessTask
    clock: Clock
    slots: int
    grace_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let running tasks end within the grace time and hand back the rest."""
        slots = [asyncio.create_task(self._slot(number, stop)) for number in range(self.slots)]
        log.info("worker.started", slots=self.slots)
        try:
            await stop.wait()
            log.info("worker.stopping", grace_seconds=self.grace_seconds)
            await asyncio.wait(slots, timeout=self.grace_seconds)
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.wait(slots)
            log.info("worker.stopped")

    async def _slot(self, number: int, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with self.runners.open_runner() as runner, self.consumer.open_slot() as slot:
                    await self._consume(slot, runner, stop)
            except ExecutionFailed as error:
                # No simulator could be started: killed as it was, or no memory for it now.
                log.warning("slot.without_simulator", slot=number, error=str(error))
                await self._pause(stop)
            except Exception:
                log.exception("slot.crashed", slot=number)
                await self._pause(stop)

    async def _consume(self, slot: ConsumerSlot, runner: CircuitRunner, stop: asyncio.Event) -> None:
        while (delivery := await _next(slot, stop)) is not None:
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
                await self._pause(stop)
            else:
                return True
        return False

    async def _pause(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await stop.wait()
        except TimeoutError:
            pass


async def _next(slot: ConsumerSlot, stop: asyncio.Event) -> Delivery | None:
    """The next message, or None once the worker is to stop."""
    if stop.is_set():
        return None
    receiving = asyncio.create_task(slot.receive())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([receiving, stopping], return_when=asyncio.FIRST_COMPLETED)
        return receiving.result() if receiving.done() else None
    finally:
        receiving.cancel()
        stopping.cancel()
        await asyncio.wait([receiving, stopping])
