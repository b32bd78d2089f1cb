"""The slots of a queue of its own: they share no simulator with the others, and end with their worker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from ketline.db.engine.database import Database
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Dispatch
from ketline.domain.circuits.program_format import Target
from ketline.domain.errors import SimulatorNotStarted
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.messaging.memory import MemoryQueue
from ketline.ports.tasks.runner import CircuitRunner
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.attempt import ProcessTask
from ketline.worker.queue_slots import QueueSlots
from tests.brokers import eventually
from tests.runners import ScriptedRunner, deferrals_of


class CountedRunners:
    """Opens one runner at a time, and raises `error` instead of the first while that is set."""

    def __init__(self, runner: ScriptedRunner, error: Exception | None = None) -> None:
        self.runner = runner
        self.error = error
        self.opened = self.closed = 0

    @asynccontextmanager
    async def open_runner(
        self, on_idle_end: Callable[[CircuitRunner], None] | None = None
    ) -> AsyncIterator[CircuitRunner]:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.opened += 1
        yield self.runner
        self.closed += 1


class Rig:
    def __init__(self, database: Database, runners: CountedRunners) -> None:
        self.repository = SqlTaskRepository(database)
        self.queue = MemoryQueue()
        self.runners = runners
        self.stop = asyncio.Event()

    @asynccontextmanager
    async def working(self, *, idle_seconds: float = 300.0) -> AsyncIterator[None]:
        clock = SystemClock()
        deferrals = deferrals_of(self.repository)
        process = ProcessTask(
            self.repository, clock, WorkerId("w"), timedelta(seconds=60), deferrals, queue=CONVERSIONS
        )
        slots = QueueSlots(self.queue, process, self.runners, 1, self.stop, idle_seconds)
        working = asyncio.create_task(slots.run())
        yield
        self.stop.set()
        async with asyncio.timeout(10):
            await working

    async def submit(self) -> TaskId:
        task_id = TaskId(uuid4())
        spec = TaskSpec(circuit="p", shots=0, max_attempts=1, kind=TaskKind.CONVERT, target=Target.QPY)
        await self.repository.add(Submission(task_id=task_id, spec=spec, correlation_id=CorrelationId("c")), taken=True)
        await self.queue.publish(Dispatch(task_id=task_id, correlation_id=CorrelationId("c"), queue=CONVERSIONS))
        return task_id

    async def completed(self, task_id: TaskId) -> None:
        async def reached() -> bool:
            return (await self.repository.get(task_id)).status is TaskStatus.COMPLETED

        await eventually(reached)


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, CountedRunners(ScriptedRunner()))


async def test_process_starts_with_a_message_and_serves_those_that_follow(rig: Rig) -> None:
    async with rig.working():
        assert rig.runners.opened == 0
        for _ in range(3):
            await rig.completed(await rig.submit())
        assert (rig.runners.opened, rig.runners.closed) == (1, 0)
    assert rig.runners.closed == 1


async def test_idle_process_ends_and_another_starts_with_the_next_message(rig: Rig) -> None:
    async with rig.working(idle_seconds=0.05):
        await rig.completed(await rig.submit())

        async def closed() -> bool:
            return rig.runners.closed == 1

        await eventually(closed)
        await rig.completed(await rig.submit())
        assert rig.runners.opened == 2


async def test_task_waits_while_no_process_can_be_started(database: Database) -> None:
    rig = Rig(database, CountedRunners(ScriptedRunner(), SimulatorNotStarted("too many open files")))
    async with rig.working():
        await rig.completed(await rig.submit())
    assert rig.runners.opened == 1


async def test_worker_that_stops_hands_its_task_back(database: Database) -> None:
    held = ScriptedRunner(held=True)
    rig = Rig(database, CountedRunners(held))
    async with rig.working():
        task_id = await rig.submit()
        await held.started.wait()
        rig.stop.set()
        held.release.set()
    assert (await rig.repository.get(task_id)).status is TaskStatus.COMPLETED, "it had the time to end"
