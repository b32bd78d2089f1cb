"""The slots of a queue other than the queue of simulations: of conversions or of a backend; `worker.loop` runs them."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from ketline.domain.errors import ExecutionFailed, SimulatorNotStarted
from ketline.domain.ids import TaskId
from ketline.domain.tasks.queues import TaskQueue
from ketline.ports.tasks.queue import ConsumerSlot, Delivery, TaskConsumer
from ketline.ports.tasks.runner import CircuitRunner, RunnerFactory
from ketline.service.claim_gate import ClaimGate
from ketline.worker.consumers import ConsumerLimit
from ketline.worker.retries import MAX_RETRY_SECONDS, RETRY_SECONDS, pause, until_available
from ketline.worker.slot_runner import SlotRunner

log = structlog.get_logger()

# An idle process ends after this time, because it occupies 100 MB.
IDLE_SECONDS = 300.0


class TaskProcess(Protocol):
    """Runs the tasks of one queue; `ProcessTask` and `RunOnBackend` implement it."""

    @property
    def queue(self) -> TaskQueue: ...

    async def __call__(self, task_id: TaskId, runner: CircuitRunner, message: str | None = None) -> None:
        """Claim a task, and return when the message can be acknowledged; `message` is its trace context."""
        ...


@dataclass(slots=True)
class QueueSlots:
    """Runs the tasks of `process.queue` in `slots` processes, each started for a message and ended when it is idle."""

    consumer: TaskConsumer
    process: TaskProcess
    runners: RunnerFactory
    slots: int
    stop: asyncio.Event
    idle_seconds: float = IDLE_SECONDS
    gate: ClaimGate = field(default_factory=ClaimGate)
    _limit: ConsumerLimit = field(init=False)

    def __post_init__(self) -> None:
        self._limit = ConsumerLimit(self.slots)
        self.gate.add(self.process.queue, self._limit)

    async def run(self) -> None:
        """Run tasks until the worker stops."""
        async with asyncio.TaskGroup() as slots:
            for number in range(self.slots):
                slots.create_task(self._slot(number))
            await self.stop.wait()
            self._limit.close()

    async def _slot(self, number: int) -> None:
        seconds = RETRY_SECONDS
        while not self.stop.is_set():
            try:
                async with self._limit.active(number) as active, self._open(number) as slot:
                    if active and (delivery := await self._limit.receive(number, slot)) is not None:
                        await self._serve(number, slot, delivery)
                seconds = RETRY_SECONDS
                continue
            except ExecutionFailed as error:
                # The message has returned to its queue, where another worker may take it.
                log.warning("queue_slot.without_process", queue=self.process.queue.name, error=str(error))
            except Exception:
                log.exception("slot.crashed", slot=self.process.queue.name)
            await pause(self.stop, seconds)
            seconds = min(2 * seconds, MAX_RETRY_SECONDS)

    def _open(self, number: int) -> AbstractAsyncContextManager[ConsumerSlot]:
        queue = self.process.queue
        return self.consumer.open_slot(queue, name=f"{queue.name} slot {number + 1}")

    async def _serve(self, number: int, slot: ConsumerSlot, delivery: Delivery | None) -> None:
        """Run tasks in one process, until it has been idle for `idle_seconds` or the worker stops.

        Raises:
            SimulatorNotStarted: the process could not be started, or ended.
        """
        async with self.runners.open_runner() as opened:
            runner = SlotRunner(opened)
            log.info("queue_slot.opened", queue=self.process.queue.name)
            while delivery is not None:
                work = partial(self.process, delivery.task_id, runner, delivery.trace_context)
                if await until_available(delivery, work, self.stop):
                    await delivery.acknowledge()
                if runner.failed:
                    raise SimulatorNotStarted("the process ended")
                delivery = await self._next(number, slot)
        log.info("queue_slot.closed", queue=self.process.queue.name)

    async def _next(self, number: int, slot: ConsumerSlot) -> Delivery | None:
        """The next message; None after `idle_seconds` without one, or when the worker stops."""
        try:
            async with asyncio.timeout(self.idle_seconds):
                return await self._limit.receive(number, slot)
        except TimeoutError:
            return None
