"""What a `ProgramLibrary` and a `WorkerRegistry` promise, on PostgreSQL and SQLite."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import workers
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.worker import WorkerCondition, WorkerIdentity
from ketline.domain.errors import TaskNotFound
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import ProgramSource
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from tests.actors import TESTER

LIFETIME = timedelta(seconds=15)
LEASE = timedelta(seconds=30)
ONE = WorkerIdentity(worker_id=WorkerId("worker-1"), slots=2, version="1.0")
TWO = WorkerIdentity(worker_id=WorkerId("worker-2"), slots=1, version="1.0")


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


@pytest.fixture
def registry(database: Database) -> SqlWorkerRegistry:
    return SqlWorkerRegistry(database)


async def submit(repository: SqlTaskRepository, inputs: Inputs | None = None) -> TaskId:
    task_id = TaskId(uuid4())
    await repository.add(
        Submission(
            task_id=task_id,
            spec=TaskSpec(circuit="qubit é; // π", shots=10, max_attempts=3, inputs=inputs or {}),
            correlation_id=CorrelationId("c"),
        )
    )
    return task_id


async def silent_for(database: Database, worker: WorkerIdentity, seconds: float) -> None:
    """Have it be as if the worker had last been heard of so much longer ago."""

    def work(connection: Connection) -> None:
        ago = from_now(LIFETIME.total_seconds() - seconds)
        connection.execute(update(workers).where(workers.c.worker_id == worker.worker_id).values(live_until=ago))

    await database.write(work)


@pytest.mark.parametrize("inputs", [{}, {"theta": 0.5, "n": 2**63, "flag": True, "bits": "0101"}])
async def test_program_is_given_as_it_was_submitted(
    database: Database, repository: SqlTaskRepository, inputs: Inputs
) -> None:
    task_id = await submit(repository, inputs)
    assert await SqlProgramLibrary(database).get(task_id) == ProgramSource(circuit="qubit é; // π", inputs=inputs)


async def test_program_of_an_unknown_task_is_not_found(database: Database) -> None:
    with pytest.raises(TaskNotFound):
        await SqlProgramLibrary(database).get(TaskId(uuid4()))


async def test_worker_that_beats_is_live(registry: SqlWorkerRegistry) -> None:
    started_at = await registry.beat(ONE, None, LIFETIME)
    (worker,) = await registry.live()
    assert (worker.identity, worker.tasks) == (ONE, ())
    assert worker.started_at == worker.last_seen_at == started_at


async def test_later_beats_keep_the_start(registry: SqlWorkerRegistry) -> None:
    started_at = await registry.beat(ONE, None, LIFETIME)
    assert await registry.beat(ONE, started_at, LIFETIME) == started_at
    (worker,) = await registry.live()
    assert worker.started_at == started_at
    assert worker.last_seen_at >= started_at


async def test_beat_of_a_removed_worker_registers_it_again(registry: SqlWorkerRegistry, database: Database) -> None:
    started_at = await registry.beat(ONE, None, LIFETIME)
    await silent_for(database, ONE, 3600)
    assert await registry.remove_lost(timedelta(minutes=1)) == 1
    assert await registry.beat(ONE, started_at, LIFETIME) == started_at
    assert [worker.started_at for worker in await registry.live()] == [started_at]


async def test_silent_worker_is_no_longer_live(registry: SqlWorkerRegistry, database: Database) -> None:
    await registry.beat(ONE, None, LIFETIME)
    await registry.beat(TWO, None, LIFETIME)
    await silent_for(database, ONE, 15.5)
    await silent_for(database, TWO, 10)
    assert [worker.identity for worker in await registry.live()] == [TWO]


async def test_only_workers_that_are_silent_for_long_are_removed(
    registry: SqlWorkerRegistry, database: Database
) -> None:
    for worker, seconds in ((ONE, 80.0), (TWO, 70.0)):
        await registry.beat(worker, None, LIFETIME)
        await silent_for(database, worker, seconds)
    assert await registry.remove_lost(timedelta(seconds=60)) == 1
    assert await registry.remove_lost(timedelta(seconds=60)) == 0


async def test_worker_that_left_is_gone_at_once(registry: SqlWorkerRegistry) -> None:
    await registry.beat(TWO, None, LIFETIME)
    await registry.leave(ONE.worker_id, await registry.beat(ONE, None, LIFETIME))
    assert [worker.identity for worker in await registry.live()] == [TWO]


async def test_one_that_took_over_the_id_is_not_sent_away(registry: SqlWorkerRegistry) -> None:
    earlier = await registry.beat(ONE, None, LIFETIME)
    later = await registry.beat(ONE, None, LIFETIME)
    while later == earlier:  # SQLite's clock ticks once a millisecond
        later = await registry.beat(ONE, None, LIFETIME)
    await registry.leave(ONE.worker_id, earlier)
    assert [worker.started_at for worker in await registry.live()] == [later]


async def test_workers_are_listed_with_the_tasks_they_hold(
    registry: SqlWorkerRegistry, repository: SqlTaskRepository
) -> None:
    for worker in (TWO, ONE):
        await registry.beat(worker, None, LIFETIME)
    waiting, first, second, ended, foreign = [await submit(repository) for _ in range(5)]
    for task_id in (first, second):
        assert await repository.claim(task_id, ONE.worker_id, LEASE) is not None
    assert await repository.claim(foreign, WorkerId("unheard-of"), LEASE) is not None
    assert await repository.claim(ended, TWO.worker_id, LEASE) is not None
    await repository.cancel(ended, TESTER)
    one, two = await registry.live()
    assert (one.identity, two.identity, two.tasks) == (ONE, TWO, ())
    assert [task.task_id for task in one.tasks] == [first, second]
    held = one.tasks[0]
    assert held.attempt == 1
    assert 0 <= held.running_seconds < 20
    assert 10 < held.lease_seconds_left <= 30
    assert held.lease_expires_at - held.claimed_at == LEASE
    assert waiting not in {task.task_id for worker in (one, two) for task in worker.tasks}


async def test_start_afresh_removes_the_workers_of_before(
    registry: SqlWorkerRegistry, repository: SqlTaskRepository
) -> None:
    await registry.beat(ONE, None, LIFETIME)
    await repository.start_afresh()
    assert await registry.live() == []


async def test_condition_of_a_worker_is_that_of_its_last_beat(registry: SqlWorkerRegistry) -> None:
    started_at = await registry.beat(ONE, None, LIFETIME, WorkerCondition(ready_slots=1, problem="no memory"))
    [worker] = await registry.live()
    assert worker.condition == WorkerCondition(ready_slots=1, problem="no memory")
    await registry.beat(ONE, started_at, LIFETIME, WorkerCondition(ready_slots=2))
    [worker] = await registry.live()
    assert worker.condition == WorkerCondition(ready_slots=2)
    await registry.beat(ONE, started_at, LIFETIME)
    assert (await registry.live())[0].condition is None
