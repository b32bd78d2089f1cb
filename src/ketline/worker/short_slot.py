"""The slot for short programs: one more simulator, which runs them while long programs occupy all other slots.

`loop.py` runs it beside the other slots.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import ExecutionFailed, SimulatorNotStarted
from ketline.domain.tasks.queues import SIMULATIONS
from ketline.ports.tasks.queue import ConsumerSlot, Delivery, TaskConsumer
from ketline.ports.tasks.runner import CircuitRunner, RunnerFactory
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.claim_gate import ClaimGate
from ketline.worker.consumers import ConsumerLimit
from ketline.worker.occupancy import Occupancy
from ketline.worker.retries import MAX_RETRY_SECONDS, RETRY_SECONDS, pause, until_available
from ketline.worker.slot_runner import SlotRunner

log = structlog.get_logger()

# Predictions are inexact and a busy machine is slow: a program is stopped after this multiple of the limit.
OVERRUN = 3.0
# An idle simulator ends after this time, because it takes 100 MB.
IDLE_SECONDS = 300.0
# With a message but no short task to claim, the slot tries this many times, this many seconds apart.
CLAIM_TRIES = 5
CLAIM_RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortPrograms:
    """How short programs are run: by `runners`, which raise `LongProgram` if they predict more than `seconds`.

    `requeue` publishes a message in the background; it may lose the message.
    """

    runners: RunnerFactory
    seconds: float
    requeue: Callable[[Dispatch], None]
    idle_seconds: float = IDLE_SECONDS


@dataclass(slots=True)
class ShortSlot:
    """Receives messages only while all other slots are occupied, and claims only tasks that are not known to be long.

    Its simulator starts when it is needed. A task that turns out to be long is handed back; from then on no slot for
    short programs claims it.
    """

    consumer: TaskConsumer
    process: ProcessTask
    programs: ShortPrograms
    occupancy: Occupancy
    stop: asyncio.Event
    gate: ClaimGate = field(default_factory=ClaimGate)

    async def run(self) -> None:
        """Run short programs while the other slots are occupied, until the worker stops."""
        seconds = RETRY_SECONDS
        while await self.occupancy.wait():
            try:
                async with self.programs.runners.open_runner() as runner:
                    log.info("short_slot.opened")
                    seconds = RETRY_SECONDS
                    await self._serve(SlotRunner(runner, OVERRUN * self.programs.seconds))
                log.info("short_slot.closed")
                continue
            except ExecutionFailed as error:
                log.warning("short_slot.without_simulator", error=str(error))
            except Exception:
                log.exception("slot.crashed", slot="short")
            await pause(self.stop, seconds)
            seconds = min(2 * seconds, MAX_RETRY_SECONDS)

    async def _serve(self, runner: SlotRunner) -> None:
        """Run tasks on this runner; return when it has been idle for `idle_seconds`.

        Raises:
            SimulatorNotStarted: the runner has no simulator any more.
        """
        limit = ConsumerLimit(int(self.occupancy.occupied))
        self.occupancy.changed = lambda occupied: limit.allow(int(occupied))
        with self.gate.obeyed(SIMULATIONS, limit):
            while await self.occupancy.wait(self.programs.idle_seconds):
                async with limit.active(0), self.consumer.open_slot(name="short slot") as slot:
                    await self._consume(slot, limit, runner)

    async def _consume(self, slot: ConsumerSlot, limit: ConsumerLimit, runner: SlotRunner) -> None:
        while (delivery := await limit.receive(0, slot)) is not None:
            if await until_available(delivery, partial(self._process, delivery, runner), self.stop):
                await delivery.acknowledge()
            if runner.failed:
                raise SimulatorNotStarted("the simulator for short programs ended")

    async def _process(self, delivery: Delivery, runner: CircuitRunner) -> None:
        """Run a short task for this message; if only long tasks wait, publish a new message to replace it.

        It does not return the message to the broker, which counts returns and dead-letters a message after too many.
        """
        for _ in range(CLAIM_TRIES):
            if await self.process.run_short(delivery.task_id, runner, delivery.trace_context):
                return
            await pause(self.stop, CLAIM_RETRY_SECONDS)
            if not self.occupancy.occupied:
                break
        self.programs.requeue(
            Dispatch(
                task_id=delivery.task_id,
                correlation_id=delivery.correlation_id,
                trace_context=delivery.trace_context,
            )
        )
