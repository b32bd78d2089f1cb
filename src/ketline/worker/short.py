"""One more simulator of a worker: it runs short programs while long ones occupy all slots."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from ketline.domain.errors import ExecutionFailed, LongProgram, SimulatorNotStarted
from ketline.domain.spec import TaskSpec
from ketline.domain.task import Dispatch, RunResult
from ketline.ports.tasks import CircuitRunner, Delivery, RunnerFactory, TaskConsumer
from ketline.service.attempts.attempt import ProcessTask
from ketline.worker.consumers import ConsumerLimit
from ketline.worker.occupancy import Occupancy
from ketline.worker.retrying import LONGEST_RETRY_SECONDS, RETRY_SECONDS, pause, until_available

log = structlog.get_logger()

# Predictions are off, and a busy machine is slow; a program that takes so many times what a short one may is long.
OVERRUN = 3.0
# A simulator that nobody has needed for so long ends: it takes 100 MB.
IDLE_SECONDS = 300.0
# With a message in hand, but no task that is not known to be long, this is how often and how long it looks for one.
LOOKS = 5
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortPrograms:
    """What runs them: runners that raise `LongProgram` for those predicted to take more than `seconds`.

    `requeue` has a message sent, soon, and may lose it.
    """

    runners: RunnerFactory
    seconds: float
    requeue: Callable[[Dispatch], None]
    idle_seconds: float = IDLE_SECONDS


@dataclass(slots=True)
class ShortRunner:
    """A `CircuitRunner` that stops a program which turns out to be long; `failed` once it has no simulator."""

    runner: CircuitRunner
    most_seconds: float
    failed: bool = False

    async def run(self, spec: TaskSpec) -> RunResult:
        """As `CircuitRunner.run`.

        Raises:
            LongProgram: it is predicted to take long, or has; it was stopped then.
        """
        try:
            async with asyncio.timeout(self.most_seconds):
                return await self.runner.run(spec)
        except TimeoutError:
            raise LongProgram(f"it was stopped after {self.most_seconds:g} s, and waits for a slot") from None
        except SimulatorNotStarted:
            self.failed = True
            raise


@dataclass(slots=True)
class ShortSlot:
    """Takes messages only while all other slots are occupied, and then tasks that are not known to be long.

    Its simulator is started when it is needed. A task that is found to be long goes back, and is left alone by all such
    slots from then on.
    """

    consumer: TaskConsumer
    process: ProcessTask
    programs: ShortPrograms
    occupancy: Occupancy
    stop: asyncio.Event

    async def run(self) -> None:
        """Run short programs whenever they would wait, until the stop."""
        seconds = RETRY_SECONDS
        while await self.occupancy.wait():
            try:
                async with self.programs.runners.open_runner() as runner:
                    log.info("short_slot.opened")
                    seconds = RETRY_SECONDS
                    await self._serve(ShortRunner(runner, OVERRUN * self.programs.seconds))
                log.info("short_slot.closed")
                continue
            except ExecutionFailed as error:
                log.warning("short_slot.without_simulator", error=str(error))
            except Exception:
                log.exception("slot.crashed", slot="short")
            await pause(self.stop, seconds)
            seconds = min(2 * seconds, LONGEST_RETRY_SECONDS)

    async def _serve(self, runner: ShortRunner) -> None:
        """Return when the simulator was not needed for a while.

        Raises:
            SimulatorNotStarted: the runner has none any more.
        """
        limit = ConsumerLimit(int(self.occupancy.occupied))
        self.occupancy.changed = lambda occupied: limit.allow(int(occupied))
        while await self.occupancy.wait(self.programs.idle_seconds):
            async with limit.active(), self.consumer.open_slot() as slot:
                while (delivery := await limit.receive(slot)) is not None:
                    if await until_available(delivery, partial(self._use, delivery, runner), self.stop):
                        await delivery.acknowledge()
                    if runner.failed:
                        raise SimulatorNotStarted("the simulator for short programs ended")

    async def _use(self, delivery: Delivery, runner: CircuitRunner) -> None:
        """Run a short task by this message; or, where only long ones wait, have a new one sent in its place.

        A message that is handed back is counted, and the broker sets those aside that come back too often.
        """
        for _ in range(LOOKS):
            if await self.process.short(delivery.task_id, runner):
                return
            await pause(self.stop, LOOK_SECONDS)
            if not self.occupancy.occupied:
                break
        self.programs.requeue(Dispatch(task_id=delivery.task_id, correlation_id=delivery.correlation_id))
