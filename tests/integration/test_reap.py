"""The reaper: lost workers, outages of the database and steps of its clock only delay a task."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update
from structlog.testing import capture_logs

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Lease, Reaped
from ketline.domain.attempts.leases import NOW, Expiry, LeaseSurvey
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.results.result import RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.upkeep.contact import DatabaseContact
from ketline.service.upkeep.reaper import Reaper
from tests.contract.test_leases import set_clock_back
from tests.runners import ScriptedRunner, deferrals_of

LEASE = timedelta(seconds=1)
INTERVAL_SECONDS = 0.1
WAIT_SECONDS = 20


class Outages(SqlTaskRepository):
    """Answers no call of workers and reapers while it is `down`; its clock is off by `stepped` for the reaper."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, retry_policy=RetryPolicy(delay=timedelta()))
        for name, value in {"down": False, "stepped": timedelta(), "surveys": 0, "corrections": 0}.items():
            object.__setattr__(self, name, value)

    down: bool
    stepped: timedelta
    surveys: int
    corrections: int

    def set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check(self) -> None:
        if self.down:
            raise DatabaseUnavailable("The database does not respond; try again in a few seconds.")

    async def survey_leases(self, beyond: timedelta) -> LeaseSurvey:
        self._check()
        survey = await super().survey_leases(beyond)
        self.set(surveys=self.surveys + 1)
        return LeaseSurvey(at=survey.at + self.stepped, distant=survey.distant)

    async def reap(self, limit: int, expiry: Expiry = NOW) -> list[Reaped]:
        self._check()
        return list(await super().reap(limit, expiry))

    async def correct_times(self) -> int:
        self._check()
        self.set(corrections=self.corrections + 1)
        return await super().correct_times()

    async def renew(self, lease: Lease, duration: timedelta) -> bool:
        self._check()
        return await super().renew(lease, duration)

    async def finish(self, lease: Lease, result: RunResult) -> bool:
        self._check()
        return await super().finish(lease, result)


@pytest.fixture
def repository(database: Database) -> Outages:
    return Outages(database)


@asynccontextmanager
async def reaping(repository: SqlTaskRepository, contact: DatabaseContact) -> AsyncIterator[list[bool]]:
    nudged: list[bool] = []
    reaper = Reaper(repository, lambda: nudged.append(True), SystemClock(), INTERVAL_SECONDS, contact)
    task = asyncio.create_task(reaper.run())
    try:
        yield nudged
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def contact_at_start(*, steady: bool = True) -> DatabaseContact:
    return DatabaseContact(SystemClock(), LEASE, steady_at_start=steady)


async def submit(repository: SqlTaskRepository) -> TaskId:
    submission = Submission(
        task_id=TaskId(uuid4()), spec=TaskSpec(circuit="p", shots=1, max_attempts=3), correlation_id=CorrelationId("c")
    )
    await repository.add(submission)
    return submission.task_id


async def silenced(repository: SqlTaskRepository, database: Database) -> TaskId:
    """A task whose worker has not renewed its lease in time."""
    task_id = await submit(repository)
    assert await repository.claim(task_id, WorkerId("gone"), timedelta(seconds=60)) is not None

    def silence(connection: Connection) -> None:
        connection.execute(update(tasks).values(lease_expires_at=from_now(-1)))

    await database.write(silence)
    return task_id


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():  # noqa: ASYNC110 - the state is that of loops that notify nobody
            await asyncio.sleep(0.01)


async def status_of(repository: SqlTaskRepository, task_id: TaskId, status: TaskStatus) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while (await repository.get(task_id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_reaper_frees_the_task_of_a_silent_worker(repository: Outages, database: Database) -> None:
    task_id = await silenced(repository, database)
    async with reaping(repository, contact_at_start()) as nudged:
        await eventually(lambda: bool(nudged))
    assert len(nudged) == 1
    task = await repository.get(task_id)
    assert task.status is TaskStatus.PENDING
    assert task.history[-1].notes is not None
    assert task.history[-1].notes.startswith("Attempt 1 on gone ended after ")
    assert task.history[-1].cause == "worker_lost"
    assert len(await repository.take_due(10)) == 1, "due for dispatch again"


async def test_reaper_that_has_just_started_waits_for_a_lease(repository: Outages, database: Database) -> None:
    """The process may have been down together with the database."""
    started = SystemClock().monotonic()
    task_id = await silenced(repository, database)
    async with reaping(repository, contact_at_start(steady=False)):
        await status_of(repository, task_id, TaskStatus.PENDING)
    assert SystemClock().monotonic() - started >= LEASE.total_seconds()
    assert (await repository.get(task_id)).history[-1].cause == "worker_lost"


async def test_outages_longer_than_a_lease_do_not_end_a_running_attempt(repository: Outages) -> None:
    task_id, runner = await submit(repository), ScriptedRunner(held=True)
    contact = contact_at_start()
    process = ProcessTask(
        repository, SystemClock(), WorkerId("w"), LEASE, deferrals_of(repository), contact.interrupted
    )
    with capture_logs() as logs:
        async with reaping(repository, contact):
            running = asyncio.create_task(process(task_id, runner))
            await runner.started.wait()
            for _ in range(3):
                repository.set(down=True)
                await asyncio.sleep(1.4 * LEASE.total_seconds())
                repository.set(down=False)
                await eventually(lambda: contact.steady)
            runner.release.set()
            await running
    task = await repository.get(task_id)
    assert (task.status, task.attempt) == (TaskStatus.COMPLETED, 1)
    events = [line["event"] for line in logs]
    assert events.count("reap.delayed") == events.count("lease.not_renewed") == 3, "once for each outage"


async def test_worker_that_ended_in_an_outage_costs_its_task_nothing(repository: Outages) -> None:
    task_id = await submit(repository)
    contact = contact_at_start()
    async with reaping(repository, contact):
        await eventually(lambda: contact.steady)
        assert await repository.claim(task_id, WorkerId("gone"), LEASE) is not None
        repository.set(down=True)
        await asyncio.sleep(1.4 * LEASE.total_seconds())
        repository.set(down=False)
        await status_of(repository, task_id, TaskStatus.PENDING)
    assert (await repository.get(task_id)).history[-1].cause == "database_outage"


async def test_clock_set_forward_does_not_end_leases(repository: Outages, database: Database) -> None:
    """Each is over by the clock at once, and none may be taken before its worker had time to renew it."""
    contact = contact_at_start()
    async with reaping(repository, contact):
        await eventually(lambda: contact.steady)
        claim = await repository.claim(await submit(repository), WorkerId("w"), timedelta(seconds=60))
        assert claim is not None
        repository.set(stepped=timedelta(minutes=10))
        looks = repository.surveys
        await eventually(lambda: repository.surveys > looks + 1)
        await set_clock_back(database, timedelta(minutes=10))  # the worker renews: its lease is by the new clock
        await eventually(lambda: contact.steady)
        assert (await repository.get(claim.lease.task_id)).status is TaskStatus.PROCESSING


async def test_tasks_and_leases_go_on_when_the_clock_is_set_back(repository: Outages, database: Database) -> None:
    waiting, held = await submit(repository), await submit(repository)
    contact = contact_at_start()
    async with reaping(repository, contact) as nudged:
        await eventually(lambda: contact.steady and repository.corrections == 1)
        assert await repository.claim(held, WorkerId("gone"), LEASE) is not None
        with capture_logs() as logs:
            await set_clock_back(database)
            repository.set(stepped=timedelta(minutes=-10))
            await eventually(lambda: bool(nudged))
            assert [dispatch.task_id for dispatch in await repository.take_due(10)] == [waiting]
            await status_of(repository, held, TaskStatus.PENDING)
        await eventually(lambda: repository.corrections == 4)
    assert [line["event"] for line in logs].count("database.clock_set_back") == 1


async def test_lease_is_not_taken_by_a_process_that_stood_still_while_it_corrected_times(database: Database) -> None:
    """Its workers stood still too: contact was steady for a lease by its clock, but no lease could be renewed."""

    class Standing(Outages):
        async def correct_times(self) -> int:
            corrected = await super().correct_times()
            await asyncio.sleep(1.2 * LEASE.total_seconds())
            return corrected

    repository, contact = Standing(database), contact_at_start()
    async with reaping(repository, contact):
        await eventually(lambda: repository.corrections == 1)
        task_id = await submit(repository)
        assert await repository.claim(task_id, WorkerId("w"), LEASE) is not None
        await set_clock_back(database)
        repository.set(stepped=timedelta(minutes=-10))
        await eventually(lambda: repository.corrections == 4)
        assert (await repository.get(task_id)).status is TaskStatus.PROCESSING


async def test_start_after_the_clock_was_set_back_corrects_times(repository: Outages, database: Database) -> None:
    await submit(repository)
    await set_clock_back(database)
    async with reaping(repository, contact_at_start(steady=False)) as nudged:
        await eventually(lambda: bool(nudged))
    assert len(await repository.take_due(10)) == 1


async def test_defect_does_not_end_the_loop(database: Database) -> None:
    class Faulty(Outages):
        async def survey_leases(self, beyond: timedelta) -> LeaseSurvey:
            if self.surveys == 0:
                self.set(surveys=1)
                raise RuntimeError("a bug")
            return await super().survey_leases(beyond)

    repository = Faulty(database)
    task_id = await silenced(repository, database)
    with capture_logs() as logs:
        async with reaping(repository, contact_at_start()):
            await status_of(repository, task_id, TaskStatus.PENDING)
    assert "reap.crashed" in [line["event"] for line in logs]
