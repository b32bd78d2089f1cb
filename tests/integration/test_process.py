"""A task's way from its message to its terminal status, on both databases, with faults in between."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import Connection, select, update
from structlog.testing import capture_logs

from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import tasks
from ketline.db.tasks import leases
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.claim import Claim, Lease
from ketline.domain.attempts.leases import NOW, Expiry
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.errors import DatabaseUnavailable, MachineBusy, NoFreeSlot, ProgramInvalid, SimulatorNotStarted
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.results.result import RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.attempt import ProcessTask
from tests.actors import TESTER
from tests.runners import RESULT, ScriptedRunner, deferrals_of

WORKER = WorkerId("worker-1")
LONG_LEASE = timedelta(seconds=60)
SHORT_LEASE = timedelta(seconds=0.3)


class TroubledRepository(SqlTaskRepository):
    """Fails the calls named in `down` as in a database outage, and lets the test wait for each failure."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        object.__setattr__(self, "down", set())
        object.__setattr__(self, "rejected", asyncio.Event())

    down: set[str]
    rejected: asyncio.Event

    def _check(self, name: str) -> None:
        if name in self.down:
            self.rejected.set()
            raise DatabaseUnavailable("The database does not respond; try again in a few seconds.")

    async def claim(
        self, task_id: TaskId, worker_id: WorkerId, lease: timedelta, queue: TaskQueue = SIMULATIONS
    ) -> Claim | None:
        self._check("claim")
        return await super().claim(task_id, worker_id, lease, queue)

    async def renew(self, lease: Lease, duration: timedelta) -> bool:
        self._check("renew")
        return await super().renew(lease, duration)

    async def finish(self, lease: Lease, result: RunResult) -> bool:
        self._check("finish")
        return await super().finish(lease, result)

    async def fail(self, lease: Lease, failure: Failure) -> bool:
        self._check("fail")
        return await super().fail(lease, failure)


@pytest.fixture
def repository(database: Database) -> TroubledRepository:
    return TroubledRepository(database)


@pytest.fixture
async def task_id(repository: TroubledRepository) -> TaskId:
    submission = Submission(
        task_id=TaskId(uuid4()),
        spec=TaskSpec(circuit="program", shots=10, max_attempts=3),
        correlation_id=CorrelationId("corr-7"),
    )
    await repository.add(submission)
    return submission.task_id


def process(repository: SqlTaskRepository, lease: timedelta = LONG_LEASE) -> ProcessTask:
    return ProcessTask(repository, SystemClock(), WORKER, lease, deferrals_of(repository))


async def take_away(database: Database, task_id: TaskId) -> None:
    """End the lease as the reaper sees it, and reap, before the worker can renew it."""

    def work(connection: Connection) -> None:
        connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(lease_expires_at=from_now(-1)))
        assert leases.reap(connection, 1, NOW, RetryPolicy(delay=timedelta()))

    await database.write(work)


async def test_completed_task_carries_counts_and_time_in_queue(repository: TroubledRepository, task_id: TaskId) -> None:
    await process(repository)(task_id, ScriptedRunner())
    task = await repository.get(task_id)
    assert (task.status, task.counts) == (TaskStatus.COMPLETED, RESULT.counts)
    assert task.profile is not None
    assert task.profile.queued_seconds >= 0


async def test_program_is_run_for_its_project(database: Database, task_id: TaskId) -> None:
    optics = SqlTaskRepository(database, project=ProjectName("optics"))
    spec = TaskSpec(circuit="p", shots=1, max_attempts=3)
    theirs = Submission(task_id=TaskId(uuid4()), spec=spec, correlation_id=CorrelationId("c"))
    await optics.add(theirs)
    runner = ScriptedRunner()
    for one in (task_id, theirs.task_id):
        await process(optics)(one, runner)
    assert runner.projects == [DEFAULT_PROJECT, "optics"]


async def test_program_error_fails_the_task_at_once(repository: TroubledRepository, task_id: TaskId) -> None:
    await process(repository)(task_id, ScriptedRunner(ProgramInvalid("gate 'foo' is not defined", line=4, column=1)))
    task = await repository.get(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.failure == Failure(code=FailureCode.PARSE_ERROR, message="gate 'foo' is not defined", line=4, column=1)


async def test_double_delivery_runs_once(repository: TroubledRepository, task_id: TaskId) -> None:
    runners = [ScriptedRunner() for _ in range(4)]
    await asyncio.gather(*(process(repository)(task_id, runner) for runner in runners))
    await process(repository)(task_id, runners[0])
    assert sum(len(runner.specs) for runner in runners) == 1
    assert (await repository.get(task_id)).attempt == 1


async def test_lease_is_renewed_while_the_program_runs(
    repository: TroubledRepository, database: Database, task_id: TaskId
) -> None:
    runner = ScriptedRunner(held=True)
    renewals = 0
    enough = asyncio.Event()

    class Counting(SqlTaskRepository):
        async def renew(self, lease: Lease, duration: timedelta) -> bool:
            nonlocal renewals
            renewals += 1
            if renewals >= 5:
                enough.set()
            return await super().renew(lease, duration)

    running = asyncio.create_task(process(Counting(database), timedelta(seconds=1))(task_id, runner))
    await enough.wait()  # five beats are longer than one lease
    assert await repository.reap(10) == []
    runner.release.set()
    await running
    assert (await repository.get(task_id)).status is TaskStatus.COMPLETED


async def test_defect_in_a_renewal_is_logged_and_the_next_one_counts(database: Database, task_id: TaskId) -> None:
    runner = ScriptedRunner(held=True)
    renewed = asyncio.Event()
    calls = itertools.count()

    class Faulty(SqlTaskRepository):
        async def renew(self, lease: Lease, duration: timedelta) -> bool:
            if next(calls) == 0:
                raise RuntimeError("a bug")
            held = await super().renew(lease, duration)
            renewed.set()
            return held

    with capture_logs() as logs:
        running = asyncio.create_task(process(Faulty(database), timedelta(seconds=3))(task_id, runner))
        await renewed.wait()
        runner.release.set()
        await running
    assert "lease.renewal_crashed" in [line["event"] for line in logs]
    assert (await Faulty(database).get(task_id)).status is TaskStatus.COMPLETED


async def test_reaped_worker_kills_its_simulation_and_writes_nothing(
    repository: TroubledRepository, database: Database, task_id: TaskId
) -> None:
    runner = ScriptedRunner(held=True)
    running = asyncio.create_task(process(repository, timedelta(seconds=1))(task_id, runner))
    await runner.started.wait()
    await take_away(database, task_id)
    await running
    assert runner.cancelled.is_set()
    task = await repository.get(task_id)
    assert task.status is TaskStatus.PENDING
    assert [change.status for change in task.history] == ["pending", "processing", "pending"]


async def test_result_after_the_lease_was_lost_is_fenced_off(
    repository: TroubledRepository, database: Database, task_id: TaskId
) -> None:
    runner = ScriptedRunner(held=True)
    running = asyncio.create_task(process(repository)(task_id, runner))
    await runner.started.wait()
    await take_away(database, task_id)
    runner.release.set()
    with capture_logs() as logs:
        await running
    assert "task.fenced_off" in [line["event"] for line in logs]
    task = await repository.get(task_id)
    assert (task.status, task.counts) == (TaskStatus.PENDING, None)


async def test_simulation_goes_on_while_renewals_get_no_answer(
    repository: TroubledRepository, database: Database, task_id: TaskId
) -> None:
    repository.down.add("renew")
    runner, interruptions = ScriptedRunner(held=True), list[None]()
    keeping = ProcessTask(
        repository, SystemClock(), WORKER, SHORT_LEASE, deferrals_of(repository), lambda: interruptions.append(None)
    )
    with capture_logs() as logs:
        running = asyncio.create_task(keeping(task_id, runner))
        while len(interruptions) < 8:  # for more than two leases
            await asyncio.wait([running], timeout=0.1)
        assert not runner.cancelled.is_set()
        repository.down.clear()
        renewed_by = await _lease_is_in_the_future(database, task_id)
        assert await repository.reap(10, Expiry(as_of=renewed_by)) == []
        runner.release.set()
        await running
    events = [line["event"] for line in logs]
    assert events.count("lease.not_renewed") == 1, "once for each outage"
    assert "lease.renewed_again" in events
    task = await repository.get(task_id)
    assert (task.status, task.attempt) == (TaskStatus.COMPLETED, 1)


async def test_simulation_ends_when_the_database_is_back_and_another_has_the_task(
    repository: TroubledRepository, database: Database, task_id: TaskId
) -> None:
    repository.down.add("renew")
    runner = ScriptedRunner(held=True)
    running = asyncio.create_task(process(repository, SHORT_LEASE)(task_id, runner))
    await repository.rejected.wait()
    await take_away(database, task_id)
    assert not runner.cancelled.is_set()
    repository.down.clear()
    await running
    assert runner.cancelled.is_set()
    assert (await repository.get(task_id)).status is TaskStatus.PENDING


async def _lease_is_in_the_future(database: Database, task_id: TaskId) -> datetime:
    """The time of that, by the database's clock."""
    lease = select(tasks.c.lease_expires_at > now(), now()).where(tasks.c.task_id == task_id)
    async with asyncio.timeout(10):
        while True:
            held, at = await database.read(lambda connection: connection.execute(lease).one())
            if held:
                seen_at: datetime = at
                return seen_at
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("call", "outcome", "status"),
    [("finish", RESULT, TaskStatus.COMPLETED), ("fail", ProgramInvalid("bad"), TaskStatus.FAILED)],
)
async def test_outcome_is_recorded_once_the_database_is_back(
    repository: TroubledRepository,
    task_id: TaskId,
    call: str,
    outcome: RunResult | Exception,
    status: TaskStatus,
) -> None:
    repository.down.add(call)
    running = asyncio.create_task(process(repository)(task_id, ScriptedRunner(outcome)))
    await repository.rejected.wait()
    assert (await repository.get(task_id)).status is TaskStatus.PROCESSING
    repository.down.clear()
    await running
    assert (await repository.get(task_id)).status is status


async def test_outcome_is_retried_until_the_database_is_back(repository: TroubledRepository, task_id: TaskId) -> None:
    class Hasty(SystemClock):
        """A clock that counts each short wait as a minute."""

        waited = 0.0

        async def sleep(self, seconds: float) -> None:
            self.waited += seconds
            if self.waited > 3600:
                repository.down.clear()
            await asyncio.sleep(0)

        def monotonic(self) -> float:
            return super().monotonic() + self.waited

    repository.down.add("finish")
    hasty = ProcessTask(repository, Hasty(), WORKER, LONG_LEASE, deferrals_of(repository))
    with capture_logs() as logs:
        await hasty(task_id, ScriptedRunner())
    assert (await repository.get(task_id)).status is TaskStatus.COMPLETED
    assert [line["event"] for line in logs].count("task.recording_delayed") == 1


async def test_cancelled_process_hands_the_task_back_unspent(repository: TroubledRepository, task_id: TaskId) -> None:
    runner = ScriptedRunner(held=True)
    running = asyncio.create_task(process(repository)(task_id, runner))
    await runner.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert runner.cancelled.is_set()
    task = await repository.get(task_id)
    assert task.status is TaskStatus.PENDING
    assert task.history[-1].cause == "worker_stopped"
    assert task.history[-1].duration_seconds is not None
    again = await repository.claim(task_id, WORKER, LONG_LEASE)
    assert again is not None


async def test_large_program_is_deferred_while_another_runs(repository: TroubledRepository, task_id: TaskId) -> None:
    busy = ScriptedRunner(MachineBusy("another large program runs", delay=timedelta()))
    with capture_logs() as logs:
        for _ in range(5):  # more often than it may be tried
            await process(repository)(task_id, busy)
    task = await repository.get(task_id)
    assert (task.status, task.attempt, task.history[-1].cause) == (TaskStatus.PENDING, 5, "machine_busy")
    deferred = [line for line in logs if line["event"] == "task.deferred"]
    assert [line["delay_seconds"] for line in deferred] == [0.0] * 5
    await process(repository)(task_id, ScriptedRunner())
    assert (await repository.get(task_id)).status is TaskStatus.COMPLETED


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NoFreeSlot("it waits for programs that run now"), "no_free_slot"),
        (SimulatorNotStarted("too many open files"), "simulator_not_started"),
    ],
)
async def test_task_that_was_not_begun_is_handed_back_unspent(
    repository: TroubledRepository, database: Database, task_id: TaskId, error: Exception, cause: str
) -> None:
    for _ in range(5):  # more often than it may be tried
        await process(repository)(task_id, ScriptedRunner(error))
    task = await repository.get(task_id)
    assert (task.status, task.attempt, task.history[-1].cause) == (TaskStatus.PENDING, 5, cause)
    spent = select(tasks.c.spent_attempts, tasks.c.crashed_attempts).where(tasks.c.task_id == task_id)
    assert tuple(await database.read(lambda connection: connection.execute(spent).one())) == (0, 0)
    await process(repository)(task_id, ScriptedRunner())
    assert (await repository.get(task_id)).status is TaskStatus.COMPLETED


async def test_time_in_queue_counts_the_whole_wait(
    repository: TroubledRepository, database: Database, task_id: TaskId
) -> None:
    def submitted_earlier(connection: Connection) -> None:
        connection.execute(update(tasks).values(submitted_at=from_now(-100)))

    await database.write(submitted_earlier)
    await process(repository)(task_id, ScriptedRunner(MachineBusy("another runs", delay=timedelta())))
    await process(repository)(task_id, ScriptedRunner())
    profile = (await repository.get(task_id)).profile
    assert profile is not None
    assert 100 <= profile.queued_seconds < 160


async def test_deferred_task_is_recalled_when_another_has_ended(
    repository: TroubledRepository, task_id: TaskId
) -> None:
    processing = process(repository)
    await processing(task_id, ScriptedRunner(MachineBusy("another runs", delay=timedelta(hours=1))))
    [dispatch] = await repository.take_due(10)
    assert dispatch.task_id == task_id
    await processing(task_id, ScriptedRunner())
    assert (await repository.get(task_id)).status is TaskStatus.COMPLETED


async def test_cancelled_task_is_not_deferred(repository: TroubledRepository, task_id: TaskId) -> None:
    runner = ScriptedRunner(MachineBusy("another large program runs"), held=True)
    running = asyncio.create_task(process(repository)(task_id, runner))
    await runner.started.wait()
    await repository.cancel(task_id, TESTER)
    runner.release.set()
    await running
    assert (await repository.get(task_id)).status is TaskStatus.CANCELLED


async def test_claim_without_a_database_is_the_callers_to_repeat(
    repository: TroubledRepository, task_id: TaskId
) -> None:
    repository.down.add("claim")
    runner = ScriptedRunner()
    with pytest.raises(DatabaseUnavailable):
        await process(repository)(task_id, runner)
    assert runner.specs == []
    assert (await repository.get(task_id)).status is TaskStatus.PENDING


async def test_every_line_names_task_correlation_attempt_and_worker(
    repository: TroubledRepository, task_id: TaskId
) -> None:
    seen: list[dict[str, object]] = []
    await _logging_into(seen, lambda: process(repository)(task_id, ScriptedRunner()))
    assert {line["event"] for line in seen} == {"task.started", "task.completed"}
    for line in seen:
        assert line["task_id"] == str(task_id)
        assert (line["correlation_id"], line["attempt"], line["worker_id"]) == ("corr-7", 1, WORKER)


async def _logging_into(lines: list[dict[str, object]], work: Callable[[], Awaitable[None]]) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as captured:
        await work()
    lines.extend(dict(line) for line in captured)
