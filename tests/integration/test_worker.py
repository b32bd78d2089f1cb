"""A worker on the in-memory queue: it processes one message at a time, and its stop loses no task."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest
import structlog

from ketline.db.engine.database import open_database
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.claim import Claim, Dispatch
from ketline.domain.errors import DatabaseUnavailable, LongProgram, SimulatorDied, SimulatorNotStarted
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.results.result import RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task import Change
from ketline.messaging.memory import MemoryQueue
from ketline.ports.tasks.runner import CircuitRunner
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.upkeep.dispatcher import Dispatcher
from ketline.worker.loop import CONSUMERS_PER_SLOT, Worker
from ketline.worker.pool import ACQUIRE_TIMEOUT_SECONDS, SHORT_SCORE
from ketline.worker.short_slot import ShortPrograms
from tests.runners import OneRunnerFactory, ScriptedRunner, deferrals_of


class Rig:
    """A worker and what surrounds it."""

    def __init__(self, repository: SqlTaskRepository, runner: ScriptedRunner) -> None:
        self.repository = repository
        self.queue = MemoryQueue()
        self.runner = runner
        self.runners = OneRunnerFactory(runner)
        self.short_programs: ShortPrograms | None = None
        self.acquire_timeout_seconds = ACQUIRE_TIMEOUT_SECONDS
        self.stop = asyncio.Event()

    @asynccontextmanager
    async def working(self, *, slots: int = 1, grace_seconds: float = 30.0) -> AsyncIterator[None]:
        clock = SystemClock()
        worker = Worker(
            consumer=self.queue,
            runners=self.runners,
            process=ProcessTask(
                self.repository, clock, WorkerId("w"), timedelta(seconds=60), deferrals_of(self.repository)
            ),
            clock=clock,
            slots=slots,
            grace_seconds=grace_seconds,
            short_programs=self.short_programs,
            acquire_timeout_seconds=self.acquire_timeout_seconds,
        )
        task = asyncio.create_task(worker.run(self.stop))
        try:
            yield
        finally:
            self.stop.set()
            await task

    async def submit(self, program: str = "p") -> TaskId:
        submission = Submission(
            task_id=TaskId(uuid4()),
            spec=TaskSpec(circuit=program, shots=10, max_attempts=1),
            correlation_id=CorrelationId("c"),
        )
        await self.repository.add(submission, taken=True)
        await self.queue.publish(Dispatch(task_id=submission.task_id, correlation_id=submission.correlation_id))
        return submission.task_id

    async def status(self, task_id: TaskId) -> TaskStatus:
        return (await self.repository.get(task_id)).status


@pytest.fixture
async def repository(sqlite_url: str) -> AsyncIterator[SqlTaskRepository]:
    async with open_database(sqlite_url) as database:
        yield SqlTaskRepository(database)


async def test_stop_lets_the_running_task_finish(repository: SqlTaskRepository) -> None:
    rig = Rig(repository, ScriptedRunner(held=True))
    async with rig.working():
        task_id = await rig.submit()
        await rig.runner.started.wait()
        rig.stop.set()
        rig.runner.release.set()
    assert await rig.status(task_id) is TaskStatus.COMPLETED


async def test_stop_beyond_the_grace_time_hands_the_task_back(repository: SqlTaskRepository) -> None:
    rig = Rig(repository, ScriptedRunner(held=True))
    async with rig.working(grace_seconds=0.05):
        task_id = await rig.submit()
        await rig.runner.started.wait()
    assert rig.runner.cancelled.is_set()
    assert await rig.status(task_id) is TaskStatus.PENDING


async def test_stopping_worker_takes_no_new_message(repository: SqlTaskRepository) -> None:
    rig = Rig(repository, ScriptedRunner(held=True))
    async with rig.working():
        first = await rig.submit()
        await rig.runner.started.wait()
        second = await rig.submit()
        rig.stop.set()
        rig.runner.release.set()
    assert await rig.status(first) is TaskStatus.COMPLETED
    assert await rig.status(second) is TaskStatus.PENDING


async def test_crashed_slot_restarts(repository: SqlTaskRepository) -> None:
    rig = Rig(repository, ScriptedRunner(RuntimeError("a bug")))
    async with rig.working():
        await rig.submit()
        await rig.runner.started.wait()
        rig.runner.started.clear()
        rig.runner.outcome = ScriptedRunner().outcome
        second = await rig.submit()
        await rig.runner.started.wait()
    assert await rig.status(second) is TaskStatus.COMPLETED


async def test_slot_whose_simulator_did_not_start_tries_again(repository: SqlTaskRepository) -> None:
    class Failing(OneRunnerFactory):
        failures = 1

        @asynccontextmanager
        async def open_runner(
            self, on_idle_end: Callable[[CircuitRunner], None] | None = None
        ) -> AsyncIterator[ScriptedRunner]:
            if self.failures:
                self.failures -= 1
                raise SimulatorDied("the simulator process could not be started")
            async with super().open_runner() as runner:
                yield runner

    rig = Rig(repository, ScriptedRunner())
    rig.runners = Failing(rig.runner)
    with structlog.testing.capture_logs() as lines:
        async with rig.working():
            task_id = await rig.submit()
            await rig.runner.started.wait()
    assert await rig.status(task_id) is TaskStatus.COMPLETED
    told = [line["event"] for line in lines if line["event"].startswith("slot.")]
    assert told == ["slot.without_simulator", "slot.recovered"], "it is not a defect of the slot"


async def test_message_waits_in_its_slot_during_a_database_outage(repository: SqlTaskRepository) -> None:
    rejected = asyncio.Event()

    class Away(SqlTaskRepository):
        async def claim(
            self, task_id: TaskId, worker_id: WorkerId, lease: timedelta, queue: TaskQueue = SIMULATIONS
        ) -> Claim | None:
            if not rejected.is_set():
                rejected.set()
                raise DatabaseUnavailable("The database does not respond; try again in a few seconds.")
            return await super().claim(task_id, worker_id, lease, queue)

    rig = Rig(Away(repository.database), ScriptedRunner())
    async with rig.working():
        task_id = await rig.submit()
        await rejected.wait()
        await rig.runner.started.wait()
    assert await rig.status(task_id) is TaskStatus.COMPLETED


class Heard:
    """A `Notifier` that lets a test wait for what was committed."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._changed = asyncio.Event()

    def notify(self, *changes: Change) -> None:
        self.changes += changes
        self._changed.set()

    async def until(self, status: TaskStatus, count: int) -> None:
        async with asyncio.timeout(30):
            while sum(change.status is status for change in self.changes) < count:
                self._changed.clear()
                await self._changed.wait()


async def test_tasks_claimed_ahead_go_back_when_programs_become_long(repository: SqlTaskRepository) -> None:
    heard = Heard()
    rig = Rig(SqlTaskRepository(repository.database, notifier=heard), ScriptedRunner())
    # All tasks are to be claimed before the first of them has waited for so long, on a busy machine too.
    rig.acquire_timeout_seconds = 3.0
    async with rig.working():
        for _ in range(SHORT_SCORE):
            await rig.submit()
        await heard.until(TaskStatus.COMPLETED, SHORT_SCORE)
        rig.runner.release.clear()
        heard.changes.clear()
        ids = [await rig.submit() for _ in range(CONSUMERS_PER_SLOT)]
        # All are claimed, one is run; the others wait for its simulator, in vain.
        await heard.until(TaskStatus.PENDING, 2 * CONSUMERS_PER_SLOT - 1)
        assert sorted([await rig.status(task_id) for task_id in ids]).count(TaskStatus.PROCESSING) == 1
        rig.runner.release.set()
    last_lines = [(await repository.get(task_id)).history[-1] for task_id in ids]
    causes = [line.cause for line in last_lines if line.status is TaskStatus.PENDING]
    assert causes == ["no_free_slot"] * (CONSUMERS_PER_SLOT - 1)


async def test_one_consumer_receives_messages_before_any_program_has_run(repository: SqlTaskRepository) -> None:
    heard = Heard()
    rig = Rig(SqlTaskRepository(repository.database, notifier=heard), ScriptedRunner(held=True))
    async with rig.working():
        first, second = await rig.submit(), await rig.submit()
        await rig.runner.started.wait()
        assert await rig.status(second) is TaskStatus.PENDING
        rig.runner.release.set()
        await heard.until(TaskStatus.COMPLETED, 2)
    assert await rig.status(first) is TaskStatus.COMPLETED


class ShortOnly(ScriptedRunner):
    """Rejects "long" and runs any other program; lets a test wait until it has rejected so many."""

    def __init__(self) -> None:
        super().__init__()
        self.turned_down = 0
        self.changed = asyncio.Event()

    async def run(self, spec: TaskSpec, project: ProjectName = DEFAULT_PROJECT) -> RunResult:
        if spec.circuit != "long":
            return await super().run(spec, project)
        self.turned_down += 1
        self.changed.set()
        raise LongProgram("it is long, and waits for a slot")

    async def until_turned_down(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self.turned_down < count:
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Occupied:
    """A worker of one slot, in which a program runs until it is released, with a simulator for short ones."""

    rig: Rig
    short: ShortOnly
    heard: Heard
    first: TaskId

    async def history(self, task_id: TaskId) -> list[str | None]:
        """The causes for which a task was put back."""
        lines = (await self.rig.repository.get(task_id)).history
        return [line.cause for line in lines if line.status is TaskStatus.PENDING and line.attempt]


@asynccontextmanager
async def occupied_worker(repository: SqlTaskRepository) -> AsyncIterator[Occupied]:
    heard, short = Heard(), ShortOnly()
    rig = Rig(SqlTaskRepository(repository.database, notifier=heard), ScriptedRunner(held=True))
    dispatcher = Dispatcher(rig.repository, rig.queue, SystemClock(), 0.05)
    rig.short_programs = ShortPrograms(runners=OneRunnerFactory(short), seconds=5, requeue=dispatcher.put)
    dispatching = asyncio.create_task(dispatcher.run())
    try:
        async with rig.working():
            first = await rig.submit("long")
            await rig.runner.started.wait()
            yield Occupied(rig, short, heard, first)
            rig.runner.release.set()
    finally:
        dispatching.cancel()
        await asyncio.gather(dispatching, return_exceptions=True)


async def test_short_programs_run_while_long_ones_occupy_all_slots(repository: SqlTaskRepository) -> None:
    async with occupied_worker(repository) as worker:
        long = [await worker.rig.submit("long") for _ in range(5)]
        short = [await worker.rig.submit() for _ in range(20)]
        await worker.heard.until(TaskStatus.COMPLETED, len(short))
        assert {await worker.rig.status(task_id) for task_id in short} == {TaskStatus.COMPLETED}
        assert await worker.rig.status(worker.first) is TaskStatus.PROCESSING
        worker.rig.runner.release.set()
        await worker.heard.until(TaskStatus.COMPLETED, len(short) + len(long) + 1)
    assert [spec.circuit for spec in worker.rig.runner.specs] == ["long"] * 6, "they were left to the slot"


async def test_long_task_goes_back_once_and_spends_nothing(repository: SqlTaskRepository) -> None:
    async with occupied_worker(repository) as worker:
        long = [await worker.rig.submit("long") for _ in range(3)]
        await worker.short.until_turned_down(3)
        # Their messages circulate meanwhile: the slot looks for short tasks, and finds them.
        for _ in range(3):
            await worker.rig.submit()
            worker.heard.changes.clear()
            await worker.heard.until(TaskStatus.COMPLETED, 1)
        assert worker.short.turned_down == 3
        for task_id in long:
            assert await worker.history(task_id) == ["long_program"]
        worker.heard.changes.clear()
        worker.rig.runner.release.set()
        await worker.heard.until(TaskStatus.COMPLETED, 4)
    for task_id in long:
        assert await worker.rig.status(task_id) is TaskStatus.COMPLETED


async def test_short_slot_takes_nothing_while_a_slot_is_free(repository: SqlTaskRepository) -> None:
    heard, short = Heard(), ShortOnly()
    rig = Rig(SqlTaskRepository(repository.database, notifier=heard), ScriptedRunner())
    rig.short_programs = ShortPrograms(runners=OneRunnerFactory(short), seconds=5, requeue=lambda _dispatch: None)
    async with rig.working():
        for _ in range(20):
            await rig.submit()
        await heard.until(TaskStatus.COMPLETED, 20)
    assert short.specs == []


async def test_short_slot_without_a_simulator_hands_its_task_back(repository: SqlTaskRepository) -> None:
    async with occupied_worker(repository) as worker:
        worker.short.outcome = SimulatorNotStarted("too many open files")
        with structlog.testing.capture_logs() as lines:
            task_id = await worker.rig.submit()
            await worker.short.started.wait()
            worker.short.outcome = ScriptedRunner().outcome
            await worker.heard.until(TaskStatus.COMPLETED, 1)
        assert await worker.rig.status(task_id) is TaskStatus.COMPLETED
        assert set(await worker.history(task_id)) == {"simulator_not_started"}
    told = [line["event"] for line in lines if line["event"].startswith("short_slot.")]
    assert told.count("short_slot.without_simulator") == 1


async def test_worker_whose_slots_are_occupied_stops_at_once(repository: SqlTaskRepository) -> None:
    async with occupied_worker(repository) as worker:
        await worker.rig.submit("long")
        await worker.short.until_turned_down(1)
        worker.rig.stop.set()
        worker.rig.runner.release.set()
        await worker.heard.until(TaskStatus.COMPLETED, 1)
