"""What `TaskCatalogue.ended` promises, on PostgreSQL and SQLite."""

import json
from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest

from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from tests.actors import TESTER
from tests.contract.test_repository import FAILURE, RESULT, claimed, submission

MAX_BYTES = 1 << 20


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


@pytest.fixture
def catalogue(database: Database) -> SqlTaskCatalogue:
    return SqlTaskCatalogue(database)


async def completed(repository: SqlTaskRepository, outcomes: int) -> TaskId:
    """A task with so many outcomes of one shot each."""
    claim = await claimed(repository)
    counts = {f"{Random(number).getrandbits(64):064b}": 1 for number in range(outcomes)}
    assert await repository.finish(claim.lease, replace(RESULT, counts=counts, memory=None, shots=outcomes))
    return claim.lease.task_id


async def test_ended_tasks_are_read_in_the_order_of_the_request(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    done = await completed(repository, 3)
    failing = await claimed(repository)
    assert await repository.fail(failing.lease, FAILURE)
    cancelled, pending = submission(), submission()
    await repository.add_all([cancelled, pending])
    await repository.cancel(cancelled.task_id, TESTER)
    running = (await claimed(repository)).lease.task_id
    failed = failing.lease.task_id
    requested = [running, failed, TaskId(uuid4()), cancelled.task_id, done, pending.task_id]

    found = await catalogue.ended(requested, MAX_BYTES)

    assert [task.task_id for task in found.tasks] == [failed, cancelled.task_id, done]
    assert (found.running, found.unread) == ([running, pending.task_id], [])
    for task in found.tasks:
        whole = await repository.get(task.task_id)
        assert (task.status, task.shots, task.seed) == (whole.status, whole.shots, whole.options.seed)
        assert (task.submitted_at, task.completed_at) == (whole.submitted_at, whole.completed_at)
        assert (task.correlation_id, task.failure) == (whole.correlation_id, whole.failure)
        assert task.profile == whole.profile
    results = [task.result and json.loads(task.result) for task in found.tasks]
    assert results == [None, None, json.loads(await repository.result_text(done))]
    assert [task.status for task in found.tasks] == [TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.COMPLETED]


async def test_large_results_are_left_out_and_small_ones_read(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    large, small, medium = [await completed(repository, outcomes) for outcomes in (30_000, 1, 300)]
    sized = [large, small, medium]
    found = await catalogue.ended(sized, 64 << 10)
    assert [task.task_id for task in found.tasks] == [small, medium]
    assert found.unread == [large]
    found = await catalogue.ended([large], 1000)
    assert (found.tasks, found.unread, found.running) == ([], [large], [])


async def test_as_many_as_a_batch_has_are_read_at_once(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    submissions = [submission() for _ in range(1000)]
    await repository.add_all(submissions)
    task_ids = [one.task_id for one in submissions]
    assert (await catalogue.ended(task_ids, MAX_BYTES)).running == task_ids
