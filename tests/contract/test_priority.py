"""The order in which `TaskAttempts` gives tasks to those who claim, and the place a `TaskCatalogue` tells."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import DBAPIError

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import POSTGRESQL, SQLITE
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.attempts.claim import Claim
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.errors import TaskNotPending
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Changeable, TaskChange
from ketline.domain.tasks.task_ids import TaskIds
from tests.contract.test_repository import LEASE, RESULT, WORKER, submission
from tests.specs import respecified

UNKNOWN = TaskId(uuid4())
# Has the history reject every line of a claim, by whether it is SQLite's.
NO_LINES = {
    POSTGRESQL: "ALTER TABLE status_history ADD CONSTRAINT none CHECK (status <> 'processing') NOT VALID",
    SQLITE: "CREATE TRIGGER none BEFORE INSERT ON status_history WHEN NEW.status = 'processing' "
    "BEGIN SELECT RAISE(ABORT, 'none'); END",
}


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


@pytest.fixture
def catalogue(database: Database) -> SqlTaskCatalogue:
    return SqlTaskCatalogue(database)


async def waiting(repository: SqlTaskRepository, *priorities: int) -> Sequence[TaskId]:
    """Tasks of these priorities with their messages on the queue, in the order they came, each at another time."""
    ids = []
    for priority in priorities:
        new = respecified(submission(), priority=priority)
        await repository.add(new, taken=True)
        ids.append(new.task_id)
        await tick()
    return ids


async def tick() -> None:
    """Return in another millisecond, as SQLite's clock counts them: those who come in the same one are equals."""
    milliseconds = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == milliseconds:  # noqa: ASYNC110 - a clock tells nobody
        await asyncio.sleep(0.0002)


async def claim(repository: SqlTaskRepository, told_of: TaskId) -> Claim:
    claim = await repository.claim(told_of, WORKER, LEASE)
    assert claim is not None
    return claim


async def claims(repository: SqlTaskRepository, told_of: Sequence[TaskId]) -> Sequence[TaskId]:
    """What is given for these messages, in turn."""
    return [(await claim(repository, task_id)).lease.task_id for task_id in told_of]


async def grow_older(database: Database, task_id: TaskId, seconds: float) -> None:
    """Let a task have come so much earlier."""

    def work(connection: Connection) -> None:
        values = {"rank_at": from_now(-seconds), "submitted_at": from_now(-seconds)}
        connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(values))

    await database.write(work)


async def test_equals_are_taken_by_their_messages(repository: SqlTaskRepository) -> None:
    first, second, third = await waiting(repository, 0, 0, 0)
    assert await claims(repository, [second, third, first]) == [second, third, first]


async def test_higher_priority_comes_first_and_every_message_finds_a_task(repository: SqlTaskRepository) -> None:
    low, zero, other, high, higher = ids = await waiting(repository, -10, 0, 0, 5, 50)
    assert await claims(repository, ids) == [higher, high, zero, other, low]


async def test_negative_priority_waits_for_all_others(repository: SqlTaskRepository) -> None:
    low, lower, zero = ids = await waiting(repository, -1, -2, 0)
    assert await claims(repository, ids) == [zero, low, lower]


async def test_age_counts_a_minute_a_point(repository: SqlTaskRepository, database: Database) -> None:
    old, older, new = await waiting(repository, 0, 0, 10)
    await grow_older(database, old, 570)
    await grow_older(database, older, 630)
    assert await claims(repository, [older]) == [older]
    assert await claims(repository, [old, new]) == [new, old]


async def test_those_who_were_overtaken_stay_in_order(repository: SqlTaskRepository, database: Database) -> None:
    first, second, third, high = ids = await waiting(repository, 0, 0, 0, 1)
    assert await claims(repository, ids[:1]) == [high]
    another_worker = SqlTaskRepository(database)
    assert await claims(another_worker, ids[1:]) == [first, second, third]


async def test_task_that_was_overtaken_is_found_by_the_other_message(repository: SqlTaskRepository) -> None:
    zero, high = await waiting(repository, 0, 1)
    assert await claims(repository, [zero]) == [high]
    assert await claims(repository, [high]) == [zero]
    assert await repository.claim(high, WORKER, LEASE) is None


@pytest.mark.parametrize("short", [False, True])
async def test_claim_of_another_task_is_one_transaction_with_its_line(
    repository: SqlTaskRepository, database: Database, short: bool
) -> None:
    [waits] = await waiting(repository, 0)
    await database.write(lambda connection: connection.execute(text(NO_LINES[database.dialect])))
    claiming = repository.claim_short if short else repository.claim
    with pytest.raises(DBAPIError, match="none"):
        await claiming(UNKNOWN, WORKER, LEASE)
    task = await repository.get(waits)
    assert (task.status, task.attempt) == (TaskStatus.PENDING, 0)


async def test_message_about_no_task_takes_what_waits(repository: SqlTaskRepository) -> None:
    first, second = await waiting(repository, 0, 0)
    assert await claims(repository, [UNKNOWN, UNKNOWN]) == [first, second]
    assert await repository.claim(UNKNOWN, WORKER, LEASE) is None


async def test_task_without_a_message_is_not_taken_by_that_of_another(repository: SqlTaskRepository) -> None:
    """Its own message would be one too few."""
    await repository.add(respecified(submission(), priority=100))
    [zero] = await waiting(repository, 0)
    assert await claims(repository, [UNKNOWN]) == [zero]
    assert await repository.claim(UNKNOWN, WORKER, LEASE) is None


async def test_task_that_is_scheduled_for_later_overtakes_nobody(repository: SqlTaskRepository) -> None:
    later = respecified(submission(), priority=100, scheduled_for=datetime.now(UTC) + timedelta(minutes=5))
    await repository.add(later)
    [zero] = await waiting(repository, 0)
    assert await claims(repository, [zero]) == [zero]


async def test_retried_task_keeps_its_place(repository: SqlTaskRepository) -> None:
    first, second = await waiting(repository, 0, 0)
    held = await claim(repository, first)
    assert await repository.release(held.lease)
    [dispatch] = await repository.take_due(10)
    assert dispatch.task_id == first
    [high] = await waiting(repository, 1)
    assert await claims(repository, [second, high, first]) == [high, first, second]


async def test_deferred_task_goes_before_those_that_came_later(repository: SqlTaskRepository) -> None:
    first, second, third = await waiting(repository, 0, 0, 0)
    held = await claim(repository, first)
    assert await repository.defer(held.lease, timedelta())
    [dispatch] = await repository.take_due(10)
    assert dispatch.task_id == first
    assert await claims(repository, [second, third, first]) == [first, second, third]


async def test_deferred_task_leaves_messages_to_others_before_it_is_due(repository: SqlTaskRepository) -> None:
    """The message that was overtaken by its own claim brings the other task, and none is left behind."""
    first, second = await waiting(repository, 0, 0)
    held = await claim(repository, first)
    assert await repository.defer(held.lease, timedelta(minutes=1))
    assert await claims(repository, [first]) == [second]
    assert await repository.claim(second, WORKER, LEASE) is None


async def test_priority_is_changed_while_a_task_is_pending(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    first, second = await waiting(repository, 0, 0)
    change = TaskChange(fields=frozenset({Changeable.PRIORITY}), priority=3)
    await catalogue.change(second, change)
    assert (await repository.get(second)).priority == 3
    assert await claims(repository, [first]) == [second]
    with pytest.raises(TaskNotPending):
        await catalogue.change(second, change)
    assert (await catalogue.spec(second)).priority == 3


async def test_place_counts_those_before(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    low, zero, high = await waiting(repository, -1, 0, 1)
    places = [await catalogue.queue_position(task_id) for task_id in (low, zero, high)]
    assert [place.position if place else None for place in places] == [3, 2, 1]
    held = await claim(repository, zero)
    assert await catalogue.queue_position(held.lease.task_id) is None
    assert await catalogue.queue_position(UNKNOWN) is None


async def test_tasks_of_a_batch_have_places_in_their_order(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    new_id = TaskIds()
    batch = [respecified(submission(), task_id=new_id(), priority=-1) for _ in range(5)]
    await repository.add_all(batch)
    assert len(await repository.take_due(10)) == 5
    ids = [new.task_id for new in batch]
    places = [await catalogue.queue_position(task_id) for task_id in ids]
    assert [place.position if place else None for place in places] == [1, 2, 3, 4, 5]
    assert await claims(repository, ids) == ids


async def test_place_knows_slots_and_ends(
    database: Database, repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    registry = SqlWorkerRegistry(database)
    await registry.beat(WorkerIdentity(worker_id=WORKER, slots=3, version="1"), None, timedelta(minutes=1))
    first, second, third = await waiting(repository, 0, 0, 0)
    assert await repository.finish((await claim(repository, first)).lease, RESULT)
    await claim(repository, second)
    place = await catalogue.queue_position(third)
    assert place is not None
    assert (place.ahead, place.slots, place.free_slots, place.ended) == (0, 3, 2, 1)
    assert place.estimated_start == place.at


async def found_long(repository: SqlTaskRepository, told_of: TaskId) -> Claim:
    """A task that goes back because it is long, and is on the queue again."""
    found = await claim(repository, told_of)
    assert await repository.defer(found.lease, timedelta(), "long_program")
    await repository.take_due(10)
    return found


async def test_task_known_to_be_long_is_passed_over_by_a_short_claim(repository: SqlTaskRepository) -> None:
    first, second, third = await waiting(repository, 0, 0, 0)
    await found_long(repository, first)
    for expected in (second, third):
        short = await repository.claim_short(first, WORKER, LEASE)
        assert short is not None
        assert short.lease.task_id == expected
    assert await repository.claim_short(first, WORKER, LEASE) is None


async def test_task_known_to_be_long_keeps_its_place_for_the_slots(repository: SqlTaskRepository) -> None:
    first, second = await waiting(repository, 0, 0)
    await found_long(repository, first)
    assert await claims(repository, [second, first]) == [first, second]


async def test_task_whose_message_a_short_one_used_up_keeps_its_place(repository: SqlTaskRepository) -> None:
    first, second, third = await waiting(repository, 0, 0, 0)
    long = await found_long(repository, first)
    short = await repository.claim_short(second, WORKER, LEASE)
    assert short is not None
    assert short.lease.task_id == second
    assert await claims(repository, [third, first]) == [long.lease.task_id, third]


async def test_short_claim_takes_the_task_of_highest_priority(repository: SqlTaskRepository) -> None:
    first, second = await waiting(repository, -1, 1)
    short = [await repository.claim_short(first, WORKER, LEASE) for _ in range(3)]
    assert [claim and claim.lease.task_id for claim in short] == [second, first, None]


async def test_short_claim_takes_no_task_that_has_no_message(repository: SqlTaskRepository) -> None:
    new = submission()
    await repository.add(new)
    assert await repository.claim_short(new.task_id, WORKER, LEASE) is None
    await repository.take_due(10)
    assert await repository.claim_short(new.task_id, WORKER, LEASE) is not None


async def test_concurrent_short_claims_take_different_tasks(repository: SqlTaskRepository) -> None:
    ids = await waiting(repository, *[0] * 6)
    found = await asyncio.gather(*(repository.claim_short(task_id, WORKER, LEASE) for task_id in ids))
    taken = [claim.lease.task_id for claim in found if claim is not None]
    assert len(set(taken)) == len(taken)
    assert taken
