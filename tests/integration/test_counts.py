"""What happens to tasks is counted once, where it happens; on both databases."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Lease
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.errors import DatabaseUnavailable, MachineBusy, ProgramInvalid, SimulatorDied, SimulatorNotStarted
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.runtime.clock import SystemClock
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.upkeep.contact import DatabaseContact
from ketline.service.upkeep.dispatcher import Dispatcher
from ketline.service.upkeep.reaper import Reaper
from tests.actors import TESTER
from tests.exposition import series_of, total, value
from tests.integration.test_recover import RecordingPublisher
from tests.runners import ScriptedRunner, deferrals_of

LEASE = timedelta(seconds=60)
ENDED = "ketline_tasks_ended_total"


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, retry_policy=RetryPolicy(delay=timedelta(), max_crashes=2))


@pytest.fixture
def metrics() -> PrometheusMetrics:
    return PrometheusMetrics()


@pytest.fixture
def process(repository: SqlTaskRepository, metrics: PrometheusMetrics) -> ProcessTask:
    deferrals = deferrals_of(repository)
    return ProcessTask(repository, SystemClock(), WorkerId("w"), LEASE, deferrals, metrics=metrics)


async def submit(repository: SqlTaskRepository, *, taken: bool = True) -> TaskId:
    spec = TaskSpec(circuit="p", shots=1, max_attempts=5)
    new = Submission(task_id=TaskId(uuid4()), spec=spec, correlation_id=CorrelationId("c"))
    await repository.add(new, taken=taken)
    return new.task_id


async def test_completed_attempt_is_counted_and_timed(
    repository: SqlTaskRepository, process: ProcessTask, metrics: PrometheusMetrics
) -> None:
    await process(await submit(repository), ScriptedRunner())
    found = series_of(metrics)
    assert value(found, ENDED, status="completed", cause="") == total(found, ENDED) == 1
    for name in ("waiting", "running"):
        assert value(found, f"ketline_task_{name}_seconds_count", kind="simulate") == 1
    assert value(found, "ketline_task_recording_seconds_count") == 1


async def test_failure_is_counted_by_its_code(
    repository: SqlTaskRepository, process: ProcessTask, metrics: PrometheusMetrics
) -> None:
    await process(await submit(repository), ScriptedRunner(ProgramInvalid("no gate", line=1, column=1)))
    found = series_of(metrics)
    assert value(found, ENDED, status="failed", cause="parse_error") == total(found, ENDED) == 1


async def test_attempt_that_is_repeated_has_not_ended_its_task(
    repository: SqlTaskRepository, process: ProcessTask, metrics: PrometheusMetrics
) -> None:
    task_id = await submit(repository)
    died = ScriptedRunner(SimulatorDied("it was ended by SIGSEGV"))
    await process(task_id, died)
    found = series_of(metrics)
    assert total(found, "ketline_task_retries_total") == 1
    assert total(found, ENDED) == 0
    await process(task_id, died)
    found = series_of(metrics)
    assert total(found, "ketline_task_retries_total") == 1
    assert value(found, ENDED, status="failed", cause="worker_lost") == total(found, ENDED) == 1
    failure = (await repository.get(task_id)).failure
    assert failure is not None
    assert failure.code == "worker_lost"


@pytest.mark.parametrize(
    "error", [MachineBusy("a large program runs", delay=timedelta(seconds=9)), SimulatorNotStarted("no memory")]
)
async def test_task_that_has_not_begun_is_deferred(
    repository: SqlTaskRepository,
    process: ProcessTask,
    metrics: PrometheusMetrics,
    error: MachineBusy | SimulatorNotStarted,
) -> None:
    await process(await submit(repository), ScriptedRunner(error))
    found = series_of(metrics)
    assert total(found, "ketline_task_deferrals_total") == 1
    assert total(found, ENDED) == 0
    assert total(found, "ketline_task_running_seconds_count") == 0


async def test_lost_lease_is_counted(
    repository: SqlTaskRepository, process: ProcessTask, metrics: PrometheusMetrics
) -> None:
    task_id, runner = await submit(repository), ScriptedRunner(held=True)
    running = asyncio.create_task(process(task_id, runner))
    await runner.started.wait()
    await repository.cancel(task_id, TESTER)
    await running
    found = series_of(metrics)
    assert value(found, "ketline_task_leases_lost_total") == 1
    assert total(found, ENDED) == 0, "the API counts the cancellation"


async def test_outcome_that_comes_too_late_is_counted_as_fenced(
    repository: SqlTaskRepository, database: Database, metrics: PrometheusMetrics
) -> None:
    class Unreachable(SqlTaskRepository):
        """The worker does not learn that it lost its lease before it records the outcome."""

        async def renew(self, lease: Lease, duration: timedelta) -> bool:
            raise DatabaseUnavailable("down")

    late = Unreachable(database)
    process = ProcessTask(late, SystemClock(), WorkerId("w"), LEASE, deferrals_of(late), metrics=metrics)
    task_id, runner = await submit(repository), ScriptedRunner(held=True)
    running = asyncio.create_task(process(task_id, runner))
    await runner.started.wait()
    await repository.cancel(task_id, TESTER)
    runner.release.set()
    await running
    found = series_of(metrics)
    assert value(found, "ketline_task_writes_fenced_total") == 1
    assert total(found, ENDED) == 0


async def test_expired_leases_are_counted_by_what_became_of_the_task(
    repository: SqlTaskRepository, database: Database, metrics: PrometheusMetrics
) -> None:
    contact = DatabaseContact(SystemClock(), LEASE, steady_at_start=True)
    reaper = Reaper(repository, lambda: None, SystemClock(), 1.0, contact, metrics=metrics)
    task_id = await submit(repository)

    def expire(connection: Connection) -> None:
        connection.execute(update(tasks).values(lease_expires_at=from_now(-1)))

    for _ in range(2):  # as many crashes as are permitted
        assert await repository.claim(task_id, WorkerId("gone"), LEASE) is not None
        await database.write(expire)
        assert await reaper.reap(await reaper.survey()) == 1
    assert (await repository.get(task_id)).status is TaskStatus.FAILED
    found = series_of(metrics)
    assert value(found, "ketline_task_leases_expired_total", status="pending") == 1
    assert value(found, "ketline_task_leases_expired_total", status="failed") == 1
    assert value(found, ENDED, status="failed", cause="worker_lost") == total(found, ENDED) == 1


async def test_messages_are_counted_by_what_the_queue_said(
    repository: SqlTaskRepository, metrics: PrometheusMetrics
) -> None:
    publisher = RecordingPublisher()
    dispatcher = Dispatcher(repository, publisher, SystemClock(), 60.0, metrics=metrics)
    await submit(repository, taken=False)
    assert await dispatcher.dispatch() == 1
    found = series_of(metrics)
    assert value(found, "ketline_messages_published_total") == 1
    assert value(found, "ketline_tasks_redispatched_total") == 0
    publisher.down = True
    await submit(repository, taken=False)
    with pytest.raises(Exception, match="could not be queued"):
        await dispatcher.dispatch()
    found = series_of(metrics)
    assert value(found, "ketline_messages_published_total") == 1
    assert value(found, "ketline_messages_rejected_total") == 1


async def test_lost_message_is_counted_when_its_task_is_published_again(
    database: Database, metrics: PrometheusMetrics
) -> None:
    repository = SqlTaskRepository(database, redispatch=timedelta())
    dispatcher = Dispatcher(repository, RecordingPublisher(), SystemClock(), 60.0, metrics=metrics)
    await submit(repository)  # its message never arrives
    assert await dispatcher.redispatch() == 1
    assert value(series_of(metrics), "ketline_tasks_redispatched_total") == 1
