"""What a `ServiceMeasurer` promises, on PostgreSQL and SQLite: it counts all projects, and takes a bounded time."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.util import await_only

from ketline.db.claim_controls import SqlClaimControls
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database, open_database
from ketline.db.measurements import SqlServiceMeasurer
from ketline.db.schema.tables import deliveries, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.webhooks.deliveries import SqlDeliveryLog, SqlDeliveryQueue
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim_stops import EVERY_QUEUE
from ketline.domain.attempts.worker import WorkerCondition, WorkerIdentity
from ketline.domain.circuits.program_format import Target
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.operations.measurements import QueueMeasurement
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.webhooks.deliveries import MAX_DELIVERY_TIME, Attempt, AttemptLimits
from tests.actors import TESTER

LEASE = timedelta(seconds=60)
LIFETIME = timedelta(seconds=15)


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


@pytest.fixture
def measurer(database: Database) -> SqlServiceMeasurer:
    return SqlServiceMeasurer(database)


def new_submission(spec: TaskSpec | None = None) -> Submission:
    spec = spec or TaskSpec(circuit="p", shots=1, max_attempts=3)
    return Submission(task_id=TaskId(uuid4()), spec=spec, correlation_id=CorrelationId("c"))


async def submit(repository: SqlTaskRepository, spec: TaskSpec | None = None) -> TaskId:
    new = new_submission(spec)
    await repository.add(new, taken=True)
    return new.task_id


async def test_empty_service_has_its_first_queues(measurer: SqlServiceMeasurer) -> None:
    measured = await measurer.measure()
    assert measured.queues == {SIMULATIONS.name: QueueMeasurement(), CONVERSIONS.name: QueueMeasurement()}
    assert (measured.workers, measured.workers_without_simulator) == (0, 0)
    assert measured.database_bytes > 10_000


async def test_tasks_of_all_projects_are_counted_by_queue_and_state(
    repository: SqlTaskRepository, measurer: SqlServiceMeasurer
) -> None:
    for project in ("one", "other"):
        await submit(repository.within(ProjectName(project)))
    running = await submit(repository)
    assert await repository.claim(running, WorkerId("w"), LEASE) is not None
    await submit(repository, TaskSpec(circuit="p", shots=1, max_attempts=3, hold=True))
    later = datetime.now(UTC) + timedelta(hours=1)
    await submit(repository, TaskSpec(circuit="p", shots=1, max_attempts=3, scheduled_for=later))
    convert = TaskSpec(circuit="p", shots=0, max_attempts=3, kind=TaskKind.CONVERT, target=Target.OPENQASM3)
    await submit(repository, convert)
    cancelled = await submit(repository)
    await repository.cancel(cancelled, TESTER)
    queues = (await measurer.measure()).queues
    simulations = queues[SIMULATIONS.name]
    assert (simulations.waiting, simulations.delayed, simulations.processing) == (2, 2, 1)
    assert queues[CONVERSIONS.name].waiting == 1


async def test_age_is_that_of_the_task_that_has_waited_longest(
    repository: SqlTaskRepository, database: Database, measurer: SqlServiceMeasurer
) -> None:
    waiting, scheduled, released = [await submit(repository) for _ in range(3)]
    columns: Mapping[TaskId, Mapping[str, object]] = {
        waiting: {"submitted_at": from_now(-30)},
        scheduled: {"submitted_at": from_now(-900), "scheduled_for": from_now(-10)},
        released: {"submitted_at": from_now(-900), "hold": True, "released_at": from_now(-20)},
    }

    def age(connection: Connection) -> None:
        for task_id, values in columns.items():
            connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(values))

    await database.write(age)
    seconds = (await measurer.measure()).queues[SIMULATIONS.name].oldest_seconds
    assert seconds == pytest.approx(30, abs=5)


async def test_live_workers_are_counted_for_each_queue_that_they_take(
    database: Database, measurer: SqlServiceMeasurer
) -> None:
    registry = SqlWorkerRegistry(database)
    both = WorkerIdentity(worker_id=WorkerId("both"), slots=2, version="1", queues=[SIMULATIONS.name, CONVERSIONS.name])
    broken = WorkerIdentity(worker_id=WorkerId("broken"), slots=2, version="1", queues=[SIMULATIONS.name])
    gone = WorkerIdentity(worker_id=WorkerId("gone"), slots=2, version="1", queues=[CONVERSIONS.name])
    older = WorkerIdentity(worker_id=WorkerId("older"), slots=2, version="1")
    await registry.beat(both, None, LIFETIME, WorkerCondition(ready_slots=2, problem=None))
    await registry.beat(broken, None, LIFETIME, WorkerCondition(ready_slots=0, problem="too many open files"))
    await registry.beat(gone, None, -LIFETIME, WorkerCondition(ready_slots=2, problem=None))
    await registry.beat(older, None, LIFETIME)
    measured = await measurer.measure()
    assert {name: queue.workers for name, queue in measured.queues.items()} == {"simulate": 3, "convert": 1}
    assert (measured.workers, measured.workers_without_simulator) == (3, 1)


async def test_pauses_and_drained_workers_are_counted(database: Database, measurer: SqlServiceMeasurer) -> None:
    registry, controls = SqlWorkerRegistry(database), SqlClaimControls(database)
    for name in ("one", "two"):
        worker = WorkerIdentity(worker_id=WorkerId(name), slots=2, version="1", queues=[SIMULATIONS.name])
        await registry.beat(worker, None, LIFETIME)
    await controls.drain(WorkerId("one"), TESTER)
    await controls.pause(EVERY_QUEUE, None, TESTER)
    measured = await measurer.measure()
    assert (measured.workers, measured.workers_draining, measured.claim_pauses) == (2, 1, 1)


async def test_messages_are_counted_until_they_are_delivered(
    repository: SqlTaskRepository, database: Database, measurer: SqlServiceMeasurer
) -> None:
    """Those that no process has begun to deliver too: all may be set to deliver none."""
    queue, url = SqlDeliveryQueue(database), "https://example.org/hooks"
    assert (await measurer.measure()).oldest_webhook_seconds is None
    ended, sent, delivered = [TaskSpec(circuit="p", shots=1, max_attempts=3, callback=url) for _ in range(3)]
    for spec in (sent, delivered):
        await repository.cancel(await submit(repository, spec), TESTER)
    assert await queue.make(10) == 2
    accepted, failed = await queue.claim(10, LEASE, [], AttemptLimits(host=10, project=10))
    await queue.delivered(accepted, Attempt(status=204))
    await queue.failed(failed, Attempt(error="the receiver answered 503", status=503), LEASE)
    await repository.cancel(await submit(repository, ended), TESTER)
    measured = await measurer.measure()
    assert measured.webhooks_waiting == 2
    assert measured.oldest_webhook_seconds == pytest.approx(0, abs=30)
    old = {"created_at": from_now(-7200), "give_up_at": from_now(-7200 + MAX_DELIVERY_TIME.total_seconds())}
    await database.write(lambda connection: connection.execute(update(deliveries).values(old)).rowcount)
    assert (await measurer.measure()).oldest_webhook_seconds == pytest.approx(7200, abs=30)
    await SqlDeliveryLog(database).repeat(failed.task_id)
    assert (await measurer.measure()).oldest_webhook_seconds == pytest.approx(0, abs=30), "as old as its repetition"


async def test_reading_that_waits_for_a_lock_is_ended(postgres_url: str) -> None:
    async with open_database(postgres_url) as database, open_database(postgres_url) as other:
        locked, ended = asyncio.Event(), asyncio.Event()
        await SqlServiceMeasurer(database).measure()

        def lock(connection: Connection) -> None:
            connection.exec_driver_sql("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
            locked.set()
            await_only(ended.wait())

        locking = asyncio.create_task(other.write(lock))
        await locked.wait()
        with pytest.raises(DatabaseUnavailable):
            await SqlServiceMeasurer(database, time_limit_seconds=0.1).measure()
        ended.set()
        await locking
        assert (await SqlServiceMeasurer(database).measure()).queues[SIMULATIONS.name].waiting == 0


async def test_reading_of_many_rows_is_ended_when_its_time_is_over(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        repository = SqlTaskRepository(database)
        many = 3000
        await repository.add_all([new_submission() for _ in range(many)])
        with pytest.raises(DatabaseUnavailable):
            await SqlServiceMeasurer(database, time_limit_seconds=0.0).measure()
        assert (await SqlServiceMeasurer(database).measure()).queues[SIMULATIONS.name].waiting == many
