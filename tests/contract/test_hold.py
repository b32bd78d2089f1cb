"""Held tasks and their release, on PostgreSQL and SQLite."""

import asyncio
from datetime import timedelta

import pytest

from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import TaskEnded, TaskNotFound, TaskNotHeld
from ketline.domain.tasks.lists import Changeable, TaskChange, TaskQuery
from ketline.domain.tasks.submission import Submission
from tests.actors import TESTER
from tests.contract.test_labels import in_an_hour
from tests.contract.test_repository import LEASE, NEW_ID, WORKER, move_back, seconds_until_due, submission
from tests.specs import respecified


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, redispatch=timedelta(seconds=60))


def held(**changes: object) -> Submission:
    return respecified(submission(), hold=True, **changes)


async def is_left_alone(repository: SqlTaskRepository, new: Submission) -> bool:
    """Whether nothing dispatches or claims the only task there is."""
    due = [*await repository.take_due(10), *await repository.take_overdue(10, by=timedelta())]
    claims = [
        await repository.claim(new.task_id, WORKER, LEASE),
        await repository.claim_short(new.task_id, WORKER, LEASE),
    ]
    return not due and claims == [None, None]


@pytest.mark.parametrize("taken", [False, True])
async def test_held_task_waits_whatever_comes(repository: SqlTaskRepository, database: Database, taken: bool) -> None:
    new = held()
    await repository.add(new, taken=taken)
    [listed] = (await SqlTaskCatalogue(database).find(TaskQuery())).tasks
    for task in (await repository.get(new.task_id), listed.task):
        assert (task.hold, task.released_at) == (True, None)
    assert await repository.count_pending(10) == 1
    assert await is_left_alone(repository, new)
    await move_back(database, new.task_id, "submitted_at", 86400)
    assert await repository.correct_times() == 0
    assert await is_left_alone(repository, new)
    await repository.start_afresh()
    assert await is_left_alone(repository, new)


async def test_released_task_is_as_one_that_is_submitted_now(repository: SqlTaskRepository, database: Database) -> None:
    new = held()
    await repository.add(new)
    await move_back(database, new.task_id, "submitted_at", 3600)
    await move_back(database, new.task_id, "rank_at", 3600)
    other = submission()
    await repository.add(other)
    await repository.enqueue(new.task_id)
    assert {one.task_id for one in await repository.take_due(10)} == {new.task_id, other.task_id}
    claims = [await repository.claim_short(new.task_id, WORKER, LEASE) for _ in range(2)]
    assert [claim and claim.lease.task_id for claim in claims] == [other.task_id, new.task_id]
    assert claims[1] is not None
    assert claims[1].queued_seconds < 60


async def test_change_of_priority_keeps_the_rank_of_the_release(
    repository: SqlTaskRepository, database: Database
) -> None:
    new = held()
    await repository.add(new)
    await move_back(database, new.task_id, "submitted_at", 3600)
    other = submission()
    await repository.add(other)
    await repository.enqueue(new.task_id)
    change = TaskChange(fields=frozenset({Changeable.PRIORITY}), priority=0)
    await SqlTaskCatalogue(database).change(new.task_id, change)
    await repository.take_due(10)
    claim = await repository.claim_short(new.task_id, WORKER, LEASE)
    assert claim is not None
    assert claim.lease.task_id == other.task_id


async def test_release_does_not_come_before_the_schedule(repository: SqlTaskRepository, database: Database) -> None:
    new = held(scheduled_for=in_an_hour())
    await repository.add(new)
    await repository.enqueue(new.task_id)
    assert await is_left_alone(repository, new)
    assert 3500 < await seconds_until_due(database, new.task_id) <= 3600


async def test_change_of_schedule_releases_nothing(repository: SqlTaskRepository, database: Database) -> None:
    new = held(scheduled_for=in_an_hour())
    await repository.add(new)
    change = TaskChange(fields=frozenset({Changeable.SCHEDULED_FOR}), scheduled_for=None)
    await SqlTaskCatalogue(database).change(new.task_id, change)
    assert await is_left_alone(repository, new)
    await repository.enqueue(new.task_id)
    assert await repository.claim(new.task_id, WORKER, LEASE) is not None


async def test_second_release_changes_nothing(repository: SqlTaskRepository) -> None:
    new = held()
    await repository.add(new)
    await asyncio.gather(*(repository.enqueue(new.task_id) for _ in range(8)))
    first = (await repository.get(new.task_id)).released_at
    assert len(await repository.take_due(10)) == 1
    await repository.enqueue(new.task_id)
    assert (await repository.get(new.task_id)).released_at == first
    assert await repository.take_due(10) == []
    assert await repository.claim(new.task_id, WORKER, LEASE) is not None
    await repository.enqueue(new.task_id)
    assert await repository.claim(new.task_id, WORKER, LEASE) is None


async def test_release_says_why_it_cannot_be(repository: SqlTaskRepository) -> None:
    with pytest.raises(TaskNotFound):
        await repository.enqueue(NEW_ID())
    plain, cancelled = submission(), held()
    await repository.add_all([plain, cancelled])
    with pytest.raises(TaskNotHeld) as rejected:
        await repository.enqueue(plain.task_id)
    assert rejected.value.status == "pending"
    await repository.cancel(cancelled.task_id, TESTER)
    with pytest.raises(TaskEnded) as ended:
        await repository.enqueue(cancelled.task_id)
    assert ended.value.status == "cancelled"
