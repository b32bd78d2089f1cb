"""The slot time of recent tasks, on PostgreSQL and SQLite: the last that completed, and those that run."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.predicted_work import RECENT_TASKS, read_durations
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.predicted_work import Durations, QueueDurations
from ketline.domain.circuits.program_format import Target
from ketline.domain.ids import TaskId
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from tests.contract.test_repository import FAILURE, LEASE, RESULT, WORKER, submission
from tests.specs import respecified

SIMULATED = Durations(tasks=2, seconds=3.5)
CONVERTED = Durations(tasks=1, seconds=8.0)


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


async def _completed(
    repository: SqlTaskRepository, seconds: float, queue: TaskQueue = SIMULATIONS, **spec: object
) -> TaskId:
    task_id = (await repository.add(respecified(submission(), **spec))).task_id
    claim = await repository.claim(task_id, WORKER, LEASE, queue)
    assert claim is not None
    profile = replace(RESULT.profile, parsing_seconds=0.25, simulating_seconds=seconds - 0.25)
    assert await repository.finish(claim.lease, replace(RESULT, profile=profile))
    return task_id


async def _running(repository: SqlTaskRepository, database: Database, seconds: float) -> None:
    task_id = (await repository.add(submission())).task_id
    assert await repository.claim(task_id, WORKER, timedelta(hours=1)) is not None
    await _change(database, task_id, claimed_at=from_now(-seconds))


async def _change(database: Database, task_id: TaskId, **columns: object) -> None:
    await database.write(lambda c: c.execute(update(tasks).where(tasks.c.task_id == task_id).values(columns)))


async def _read(database: Database) -> Mapping[str, QueueDurations]:
    return await database.read(read_durations)


async def test_nothing_is_known_of_an_empty_service(database: Database) -> None:
    assert await _read(database) == {}


async def test_completed_tasks_of_all_projects_count_by_queue_with_their_time_in_a_simulator(
    repository: SqlTaskRepository, database: Database
) -> None:
    await _completed(repository, 1.0)
    await _completed(repository.within(ProjectName("other")), 2.5)
    await _completed(repository, 8.0, CONVERSIONS, kind=TaskKind.CONVERT, target=Target.OPENQASM3, shots=0)
    assert await _read(database) == {
        "simulate": QueueDurations(ended=SIMULATED, last_minute=SIMULATED),
        "convert": QueueDurations(ended=CONVERTED, last_minute=CONVERTED),
    }


async def test_tasks_of_the_last_minute_are_told_apart(repository: SqlTaskRepository, database: Database) -> None:
    await _completed(repository, 1.0)
    await _change(database, await _completed(repository, 2.5), completed_at=from_now(-70))
    durations = (await _read(database))["simulate"]
    assert (durations.ended, durations.last_minute) == (SIMULATED, Durations(tasks=1, seconds=1.0))


async def test_task_without_a_profile_counts_from_its_claim(repository: SqlTaskRepository, database: Database) -> None:
    task_id = await _completed(repository, 1.0)
    await _change(database, task_id, profile=None, claimed_at=from_now(-30), completed_at=from_now(-10))
    assert (await _read(database))["simulate"].ended.seconds == pytest.approx(20, abs=0.1)


async def test_older_and_failed_tasks_do_not_count(repository: SqlTaskRepository, database: Database) -> None:
    await _change(database, await _completed(repository, 1.0), completed_at=from_now(-3700))
    task_id = (await repository.add(submission())).task_id
    claim = await repository.claim(task_id, WORKER, LEASE)
    assert claim is not None
    assert await repository.fail(claim.lease, FAILURE)
    assert await _read(database) == {}


async def test_tasks_count_as_running_after_a_second(repository: SqlTaskRepository, database: Database) -> None:
    for seconds in (0.0, 40.0, 60.0):
        await _running(repository, database, seconds)
    running = (await _read(database))["simulate"].running
    assert running.tasks == 2
    assert running.seconds == pytest.approx(100, abs=2)


async def test_only_the_last_tasks_are_read(repository: SqlTaskRepository, database: Database) -> None:
    """However many have ended: the newest of 1,200 count, by an index."""
    last = await _completed(repository, 5.0)

    def multiply(connection: Connection) -> None:
        row = dict(connection.execute(select(tasks).where(tasks.c.task_id == last)).mappings().one())
        older = {**row, "completed_at": from_now(-600)}
        ids = [submission().task_id for _ in range(RECENT_TASKS + 200)]
        for task_id in ids:
            connection.execute(insert(tasks).values({**older, "task_id": task_id}))

    await database.write(multiply)
    ended = (await _read(database))["simulate"].ended
    assert ended.tasks == RECENT_TASKS
    assert ended.seconds == pytest.approx(5.0 * RECENT_TASKS)
