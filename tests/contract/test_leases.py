"""What a repository promises of leases that end in an outage, and of times that the clock has left behind."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import POSTGRESQL, SQLITE
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.tables import status_history, tasks, workers
from ketline.db.tasks.leases import DATABASE_OUTAGE
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.claim import Claim
from ketline.domain.attempts.leases import Expiry, Outage
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission

LEASE = timedelta(seconds=30)
WORKER = WorkerId("worker-1")
CRASH = Failure(code=FailureCode.SIMULATION_ERROR, message="The simulator process was killed")
STEP = timedelta(minutes=10)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SET_BACK = {
    SQLITE: "strftime('%Y-%m-%d %H:%M:%f000', {column}, '{seconds:+} seconds')",
    POSTGRESQL: "{column} + ({seconds}) * interval '1 second'",
}


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(
        database, redispatch=timedelta(seconds=60), retry_policy=RetryPolicy(delay=timedelta(seconds=100))
    )


async def submit(
    repository: SqlTaskRepository, *, scheduled_for: datetime | None = None, taken: bool = False
) -> TaskId:
    submission = Submission(
        task_id=TaskId(uuid4()),
        spec=TaskSpec(circuit="p", shots=1, max_attempts=3, scheduled_for=scheduled_for),
        correlation_id=CorrelationId("c"),
        trace_context=TRACEPARENT,
    )
    await repository.add(submission, taken=taken)
    return submission.task_id


async def claimed(repository: SqlTaskRepository, task_id: TaskId | None = None) -> Claim:
    claim = await repository.claim(task_id or await submit(repository), WORKER, LEASE)
    assert claim is not None
    return claim


async def end_lease(database: Database, seconds_ago: float) -> None:
    def work(connection: Connection) -> None:
        held = tasks.c.current_status == TaskStatus.PROCESSING
        connection.execute(update(tasks).where(held).values(lease_expires_at=from_now(-seconds_ago)))

    await database.write(work)


async def set_clock_back(database: Database, by: timedelta = STEP) -> None:
    """Move every time in the database on, which is the same as setting its clock back."""
    shift, seconds = SET_BACK[database.dialect], by.total_seconds()

    def work(connection: Connection) -> None:
        for table in (tasks, status_history, workers):
            columns = [column.name for column in table.c if isinstance(column.type, UtcDateTime)]
            # A scheduled time is a promise to a client, which no step changes.
            moved = [name for name in columns if name != "scheduled_for"]
            changes = ", ".join(f"{name} = {shift.format(column=name, seconds=seconds)}" for name in moved)
            connection.execute(text(f"UPDATE {table.name} SET {changes}"))

    await database.write(work)


async def outage(repository: SqlTaskRepository, since: float, until: float) -> Outage:
    """From so many seconds ago until so many seconds ago."""
    at = (await repository.survey_leases(LEASE)).at
    return Outage(since=at - timedelta(seconds=since), until=at - timedelta(seconds=until))


async def spent(database: Database, task_id: TaskId) -> tuple[int, int]:
    def work(connection: Connection) -> tuple[int, int]:
        row = connection.execute(tasks.select().where(tasks.c.task_id == task_id)).one()
        return row.spent_attempts, row.crashed_attempts

    return await database.read(work)


async def test_lease_that_ran_out_in_an_outage_costs_nothing(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)
    await end_lease(database, 10)
    expiry = Expiry(outage=await outage(repository, 20, 5))
    [reaped] = await repository.reap(10, expiry)
    assert (reaped.task_id, reaped.status, reaped.cause) == (claim.lease.task_id, TaskStatus.PENDING, DATABASE_OUTAGE)
    assert await spent(database, claim.lease.task_id) == (0, 0)
    line = (await repository.get(claim.lease.task_id)).history[-1]
    assert (line.cause, line.attempt, line.lease_token) == (DATABASE_OUTAGE, 1, claim.lease.token)
    assert line.notes is not None
    assert line.notes.endswith("its lease ran out while the database was down; queued again")
    assert not await repository.renew(claim.lease, LEASE), "it is taken away all the same"
    assert len(await repository.take_due(10)) == 1
    assert (await claimed(repository, claim.lease.task_id)).lease.attempt == 2


async def test_reaped_task_tells_its_trace_and_how_long_it_was_held(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository)

    def ago(connection: Connection) -> None:
        connection.execute(update(tasks).values(claimed_at=from_now(-30), lease_expires_at=from_now(-1)))

    await database.write(ago)
    [reaped] = await repository.reap(10)
    assert (reaped.task_id, reaped.trace_context) == (claim.lease.task_id, TRACEPARENT)
    assert 30 <= reaped.held_seconds < 60


@pytest.mark.parametrize(("since", "until"), [(8.0, 5.0), (20.0, 12.0)], ids=["before", "after"])
async def test_lease_that_ran_out_beside_an_outage_is_a_lost_worker(
    repository: SqlTaskRepository, database: Database, since: float, until: float
) -> None:
    claim = await claimed(repository)
    await end_lease(database, 10)
    [reaped] = await repository.reap(10, Expiry(outage=await outage(repository, since, until)))
    assert reaped.cause == "worker_lost"
    assert await spent(database, claim.lease.task_id) == (1, 1)


async def test_outages_end_attempts_at_no_cost_only_so_often(repository: SqlTaskRepository, database: Database) -> None:
    task_id = await submit(repository)
    causes = []
    for _ in range(RetryPolicy().max_excused + 1):
        await claimed(repository, task_id)
        await end_lease(database, 10)
        [reaped] = await repository.reap(10, Expiry(outage=await outage(repository, 20, 5)))
        causes.append(reaped.cause)
    assert causes == [DATABASE_OUTAGE] * RetryPolicy().max_excused + ["worker_lost"]
    assert await spent(database, task_id) == (1, 1)


async def test_excused_and_lost_share_the_limit(repository: SqlTaskRepository, database: Database) -> None:
    for _ in range(3):
        await claimed(repository)
    await end_lease(database, 10)
    assert len(await repository.reap(2, Expiry(outage=await outage(repository, 20, 5)))) == 2
    await end_lease(database, 1)
    await claimed(repository)
    await end_lease(database, 1)
    assert [task.cause for task in await repository.reap(10, Expiry(outage=await outage(repository, 20, 5)))] == [
        "worker_lost"
    ] * 2


async def test_lease_is_judged_as_of_the_look(repository: SqlTaskRepository, database: Database) -> None:
    """A statement that was held up judges no lease by the time at which it is run at last."""
    looked_at = (await repository.survey_leases(LEASE)).at
    await claimed(repository)
    await end_lease(database, 1)
    assert await repository.reap(10, Expiry(as_of=looked_at - timedelta(seconds=5))) == []
    assert len(await repository.reap(10, Expiry(as_of=looked_at + timedelta(seconds=5)))) == 1


async def test_lease_given_after_the_clock_was_set_back_is_not_judged_by_a_look_from_before(
    repository: SqlTaskRepository,
) -> None:
    looked_at = (await repository.survey_leases(LEASE)).at + STEP
    await claimed(repository)
    assert await repository.reap(10, Expiry(as_of=looked_at)) == []


async def test_worker_that_is_back_renews_a_lease_that_ran_out(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository)
    await end_lease(database, 10)
    assert await repository.renew(claim.lease, LEASE)
    assert await repository.reap(10, Expiry(outage=await outage(repository, 20, 5))) == []


async def test_survey_tells_the_leases_of_a_distant_end(repository: SqlTaskRepository, database: Database) -> None:
    assert not (await repository.survey_leases(LEASE)).distant
    claim = await claimed(repository)
    survey = await repository.survey_leases(2 * LEASE)
    assert not survey.distant
    assert abs(datetime.now(UTC) - survey.at) < timedelta(minutes=1)
    await set_clock_back(database)
    await claimed(repository)
    survey = await repository.survey_leases(2 * LEASE)
    assert list(survey.distant) == [claim.lease.token]
    assert survey.distant[claim.lease.token] - survey.at > STEP


async def test_lease_that_nobody_renews_is_reaped_though_it_ends_in_a_distant_future(
    repository: SqlTaskRepository, database: Database
) -> None:
    dead, alive = await claimed(repository), await claimed(repository)
    await set_clock_back(database)
    assert await repository.reap(10) == []
    unrenewed = [dead.lease.token]
    [reaped] = await repository.reap(10, Expiry(unrenewed=unrenewed))
    assert (reaped.task_id, reaped.cause) == (dead.lease.task_id, "worker_lost")
    assert await repository.renew(alive.lease, LEASE)
    assert not (await repository.survey_leases(2 * LEASE)).distant


async def test_lease_that_was_renewed_since_the_look_is_not_reaped(
    repository: SqlTaskRepository, database: Database
) -> None:
    """On a busy machine the renewal may come only when the reaper has given the worker up."""
    dead, alive = await claimed(repository), await claimed(repository)
    await set_clock_back(database)
    unrenewed = list((await repository.survey_leases(2 * LEASE)).distant)
    assert len(unrenewed) == 2
    assert await repository.renew(alive.lease, LEASE)
    [reaped] = await repository.reap(10, Expiry(unrenewed=unrenewed, beyond=2 * LEASE))
    assert reaped.task_id == dead.lease.task_id


@pytest.mark.parametrize("taken", [False, True], ids=["not dispatched", "dispatched"])
async def test_waiting_task_goes_on_when_the_clock_was_set_back(
    repository: SqlTaskRepository, database: Database, taken: bool
) -> None:
    task_id = await submit(repository, taken=taken)
    await set_clock_back(database)
    assert await repository.claim(task_id, WORKER, LEASE) is None, "it is not available before its time"
    assert await repository.correct_times() == 1
    assert [dispatch.task_id for dispatch in await repository.take_due(10)] == [task_id]
    assert (await claimed(repository, task_id)).queued_seconds >= 0
    assert await repository.correct_times() == 0


async def test_task_handed_back_before_the_clock_was_set_back_goes_on(
    repository: SqlTaskRepository, database: Database
) -> None:
    claim = await claimed(repository)
    await repository.release(claim.lease)
    await set_clock_back(database)
    assert await repository.correct_times() == 1
    await claimed(repository, claim.lease.task_id)


async def test_delay_that_began_after_the_step_is_kept(repository: SqlTaskRepository, database: Database) -> None:
    claim = await claimed(repository)
    await set_clock_back(database)
    assert await repository.retry(claim.lease, CRASH, crashed=True) is TaskStatus.PENDING
    assert await repository.correct_times() == 0
    assert await repository.claim(claim.lease.task_id, WORKER, LEASE) is None


async def test_scheduled_task_keeps_its_time(repository: SqlTaskRepository, database: Database) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    task_id = await submit(repository, scheduled_for=soon)
    await set_clock_back(database)
    assert await repository.correct_times() == 0
    assert await repository.claim(task_id, WORKER, LEASE) is None


async def test_nothing_is_corrected_where_no_clock_was_set_back(
    repository: SqlTaskRepository, database: Database
) -> None:
    await submit(repository)
    await submit(repository, taken=True)
    waiting = await claimed(repository)
    await repository.defer(waiting.lease, timedelta(seconds=30))
    assert await repository.correct_times() == 0
    assert len(await repository.take_due(10)) == 1


async def test_lost_message_is_overdue_in_time_after_the_step(
    repository: SqlTaskRepository, database: Database
) -> None:
    await submit(repository, taken=True)
    await set_clock_back(database, -timedelta(seconds=30))  # it has waited for half its interval
    await set_clock_back(database, timedelta(seconds=STEP.total_seconds()))
    await repository.correct_times()
    await repository.take_due(10)
    await set_clock_back(database, -timedelta(seconds=61))
    assert len(await repository.take_overdue(10, by=timedelta())) == 1


async def test_worker_that_was_last_seen_in_the_future_is_not_listed(database: Database) -> None:
    registry = SqlWorkerRegistry(database)
    identity = WorkerIdentity(worker_id=WORKER, slots=1, version="1")
    started_at = await registry.beat(identity, None, timedelta(seconds=15))
    await set_clock_back(database)
    assert not await registry.live(), "it has not been heard of since the clock was set back"
    await registry.beat(identity, started_at, timedelta(seconds=15))
    assert len(await registry.live()) == 1
