"""Deliveries of messages about ended tasks, and their secrets, on PostgreSQL and SQLite."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, text, update

from ketline.db.access import SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import deliveries
from ketline.db.tasks.interventions import SqlTaskInterventions
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.webhooks.deliveries import SqlDeliveryLog, SqlDeliveryQueue
from ketline.db.webhooks.secrets import SqlSecretStore
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.claim import Claim
from ketline.domain.errors import DeliveryNotFound, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.webhooks.deliveries import Attempt, AttemptLimits, ClaimedDelivery, DeliveryState, new_secret
from tests.actors import TESTER
from tests.contract.test_repository import CRASH, FAILURE, LEASE, RESULT, WORKER, move_back, submission
from tests.specs import respecified

URL = "https://example.org/hooks"
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
ROOM = AttemptLimits(host=10, project=10)
ACCEPTED, BUSY = Attempt(status=204), Attempt(error="the receiver answered 503", status=503)


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, redispatch=timedelta(seconds=60))


@pytest.fixture
def queue(database: Database) -> SqlDeliveryQueue:
    return SqlDeliveryQueue(database)


@pytest.fixture
def log(database: Database) -> SqlDeliveryLog:
    return SqlDeliveryLog(database)


async def begun(repository: SqlTaskRepository, url: str | None = URL, max_attempts: int = 3, **own: Any) -> Claim:
    new = respecified(submission(max_attempts), callback=url, **own)
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE)
    assert claim is not None
    return claim


async def ended(repository: SqlTaskRepository, url: str | None = URL, **own: Any) -> TaskId:
    claim = await begun(repository, url, **own)
    assert await repository.finish(claim.lease, RESULT)
    return claim.lease.task_id


async def one_claimed(queue: SqlDeliveryQueue, lease: timedelta = MINUTE) -> ClaimedDelivery:
    [claimed] = await queue.claim(10, lease, [], ROOM)
    return claimed


async def let_pass(database: Database, task_id: TaskId, seconds: float, *columns: str) -> None:
    """Move times of a delivery into the past."""
    values = {column: from_now(-seconds) for column in columns}

    def work(connection: Connection) -> None:
        connection.execute(update(deliveries).where(deliveries.c.task_id == task_id).values(values))

    await database.write(work)


async def complete(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    assert await repository.finish(claim.lease, RESULT)
    return TaskStatus.COMPLETED


async def fail(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    assert await repository.fail(claim.lease, FAILURE)
    return TaskStatus.FAILED


async def exhaust(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    status = await repository.retry(claim.lease, CRASH, crashed=True)
    assert status is TaskStatus.FAILED
    return status


async def reap(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    await move_back(database, claim.lease.task_id, "lease_expires_at", 60)
    [reaped] = await repository.reap(10)
    assert reaped.status is TaskStatus.FAILED
    return reaped.status


async def cancel(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    await repository.cancel(claim.lease.task_id, TESTER)
    return TaskStatus.CANCELLED


async def cancel_pending(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    assert await repository.release(claim.lease)
    return await cancel(repository, database, claim)


async def fail_by_an_administrator(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    await SqlTaskInterventions(database).fail(claim.lease.task_id, "it does not end", TESTER)
    return TaskStatus.FAILED


async def complete_by_an_older_version(repository: SqlTaskRepository, database: Database, claim: Claim) -> TaskStatus:
    """As a version without webhooks writes the end of a task: none of their columns."""
    change = "UPDATE tasks SET current_status = 'completed', completed_at = submitted_at"
    await database.write(lambda connection: connection.execute(text(change)))
    return TaskStatus.COMPLETED


End = Callable[[SqlTaskRepository, Database, Claim], Awaitable[TaskStatus]]
EVERY_END = [
    complete,
    fail,
    exhaust,
    reap,
    cancel,
    cancel_pending,
    fail_by_an_administrator,
    complete_by_an_older_version,
]


@pytest.mark.parametrize("end", EVERY_END)
async def test_task_is_delivered_once_however_it_ends(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database, end: End
) -> None:
    claim = await begun(repository, max_attempts=1)
    assert await queue.make(10) == 0
    status = await end(repository, database, claim)
    assert [await queue.make(10) for _ in range(3)] == [1, 0, 0]
    claimed = await one_claimed(queue)
    body = json.loads(claimed.body)
    assert (claimed.url, claimed.host, claimed.attempt) == (URL, "example.org", 1)
    assert (body["type"], body["data"]["task_id"]) == (f"task.{status}", str(claim.lease.task_id))
    [delivery] = await log.of_task(claim.lease.task_id)
    assert (delivery.event, delivery.state, delivery.attempts) == (body["type"], DeliveryState.WAITING, 1)


async def test_task_without_a_callback_costs_nothing(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    task_id = await ended(repository, None)
    due = await database.read(
        lambda connection: connection.execute(text("SELECT callback_due FROM tasks")).scalars().all()
    )
    assert list(due) == [None]
    assert await queue.make(10) == 0
    assert await log.of_task(task_id) == []


async def test_callback_of_the_project_is_for_tasks_without_their_own(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, database: Database
) -> None:
    projects = SqlProjectStore(database)
    await ended(repository, None)
    await projects.change(DEFAULT_PROJECT, callback="https://example.org/project", actor=TESTER)
    assert await projects.with_callbacks() == {DEFAULT_PROJECT}
    for url in (None, URL):
        await ended(repository, url, project_callback=True)
    assert await queue.make(10) == 2
    claimed = await queue.claim(10, MINUTE, [], ROOM)
    assert sorted(one.url for one in claimed) == [URL, "https://example.org/project"]
    changed = await projects.change(DEFAULT_PROJECT, callback="", actor=TESTER)
    assert (changed.callback, await projects.with_callbacks()) == (None, frozenset())


async def test_project_that_has_lost_its_callback_is_delivered_nothing(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue
) -> None:
    await ended(repository, None, project_callback=True)
    assert [await queue.make(10) for _ in range(2)] == [1, 0]
    assert await queue.claim(10, MINUTE, [], ROOM) == []


async def test_message_about_a_deleted_task_is_delivered(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    deleted, old = await ended(repository), await ended(repository)
    catalogue = SqlTaskCatalogue(database)
    await catalogue.delete(deleted, TESTER)
    await move_back(database, old, "completed_at", 3600)
    assert await catalogue.delete_older(MINUTE, 10) == 1
    assert {one.task_id for one in await queue.claim(10, MINUTE, [], ROOM)} == {deleted, old}
    assert len(await log.of_task(deleted)) == 1


async def test_every_task_is_delivered_once_by_concurrent_processes(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue
) -> None:
    expected = {await ended(repository) for _ in range(20)}
    made = await asyncio.gather(*(queue.make(7) for _ in range(8)))
    while sum(made) < len(expected):  # those that others had locked
        made.append(await queue.make(7))
    assert sum(made) == len(expected)
    parts = await asyncio.gather(*(queue.claim(5, MINUTE, [], ROOM) for _ in range(6)))
    claimed = [one for part in parts for one in part]
    while some := await queue.claim(5, MINUTE, [], ROOM):
        claimed += some
    assert sorted(one.task_id for one in claimed) == sorted(expected)


async def test_delivery_is_attempted_again_by_another_process_when_the_first_is_lost(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, database: Database
) -> None:
    task_id = await ended(repository)
    await queue.make(10)
    lost = await one_claimed(queue)
    assert await queue.claim(10, MINUTE, [], ROOM) == []
    await let_pass(database, task_id, 1, "next_at")
    again = await one_claimed(queue)
    assert (again.delivery_id, again.body, again.attempt) == (lost.delivery_id, lost.body, 2)
    assert await queue.failed(lost, BUSY, SECOND) is None
    assert await queue.claim(10, MINUTE, [], ROOM) == []


async def test_delivery_that_was_accepted_late_is_delivered(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    task_id = await ended(repository)
    await queue.make(10)
    slow = await one_claimed(queue)
    await let_pass(database, task_id, 1, "next_at")
    await one_claimed(queue)
    await queue.delivered(slow, ACCEPTED)
    [delivery] = await log.of_task(task_id)
    assert (delivery.state, delivery.last_status, delivery.next_at) == (DeliveryState.DELIVERED, 204, None)
    assert delivery.ended_at is not None


async def test_failed_delivery_waits_for_its_pause(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    task_id = await ended(repository)
    await queue.make(10)
    assert await queue.failed(await one_claimed(queue), BUSY, timedelta(seconds=30)) is DeliveryState.WAITING
    assert await queue.claim(10, MINUTE, [], ROOM) == []
    [delivery] = await log.of_task(task_id)
    assert delivery.next_at is not None
    assert timedelta(seconds=20) < delivery.next_at - delivery.created_at < timedelta(seconds=120)
    assert (delivery.last_status, delivery.last_error) == (503, "the receiver answered 503")
    await let_pass(database, task_id, 1, "next_at")
    assert (await one_claimed(queue)).attempt == 2


async def test_last_attempt_is_at_the_end_of_the_day(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    task_id = await ended(repository)
    await queue.make(10)
    assert await queue.failed(await one_claimed(queue), BUSY, 2 * DAY) is DeliveryState.WAITING
    [delivery] = await log.of_task(task_id)
    assert delivery.next_at == delivery.created_at + DAY
    await let_pass(database, task_id, 1, "next_at", "give_up_at")
    assert await queue.failed(await one_claimed(queue), BUSY, SECOND) is DeliveryState.DEAD
    [delivery] = await log.of_task(task_id)
    assert (delivery.state, delivery.next_at) == (DeliveryState.DEAD, None)
    assert await queue.claim(10, MINUTE, [], ROOM) == []


async def test_clock_that_was_set_back_delays_no_delivery(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, database: Database
) -> None:
    new, failed = await ended(repository), await ended(repository)
    await queue.make(10)
    await let_pass(database, new, 3600, "next_at", "created_at")
    for claimed in await queue.claim(10, MINUTE, [], ROOM):
        await queue.failed(claimed, BUSY, timedelta(seconds=30))
    assert await queue.correct_times() == 0, "they wait for their pause"
    # An hour later by the clock that was set back since.
    await let_pass(database, failed, -3600, "next_at", "last_attempt_at")
    assert await queue.claim(10, MINUTE, [], ROOM) == []
    assert [await queue.correct_times() for _ in range(2)] == [1, 0]
    assert [one.task_id for one in await queue.claim(10, MINUTE, [], ROOM)] == [failed]


async def test_receiver_that_is_gone_gets_no_further_attempt(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue
) -> None:
    await ended(repository)
    await queue.make(10)
    assert await queue.failed(await one_claimed(queue), Attempt(error="410", gone=True), SECOND) is DeliveryState.DEAD


async def test_slow_host_leaves_room_for_others(repository: SqlTaskRepository, queue: SqlDeliveryQueue) -> None:
    slow = [await ended(repository, "https://slow.example/") for _ in range(5)]
    quick = await ended(repository)
    await queue.make(10)
    most = AttemptLimits(host=2, project=10)
    first = await queue.claim(4, MINUTE, [], most)
    under_way = [one for one in first if one.host == "slow.example"]
    assert [one.task_id for one in under_way] == slow[:2]
    assert [one.task_id for one in first if one.host != "slow.example"] == [quick]
    assert await queue.claim(4, MINUTE, under_way, most) == []
    assert len(await queue.claim(4, MINUTE, under_way[:1], most)) == 1


async def test_project_with_many_slow_hosts_leaves_room_for_others(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue
) -> None:
    """Names of hosts cost nothing: each message can be to another one."""
    flooding = repository.within(ProjectName("flooding"))
    flood = [await ended(flooding, f"https://slow{number}.example/") for number in range(10)]
    other = await ended(repository)
    await queue.make(20)
    most = AttemptLimits(host=1, project=2)
    [*first, last] = await queue.claim(4, MINUTE, [], most)
    assert [one.task_id for one in first] == flood[:2]
    assert last.task_id == other, "although more than are examined at once are due longer"
    assert await queue.claim(4, MINUTE, first, most) == []
    assert len(await queue.claim(4, MINUTE, first[:1], most)) == 1


async def test_many_deliveries_to_a_slow_host_do_not_hide_others(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue
) -> None:
    for _ in range(9):
        await ended(repository, "https://slow.example/")
    quick = await ended(repository)
    await queue.make(20)
    first = await queue.claim(2, MINUTE, [], AttemptLimits(host=1, project=10))
    assert [one.host for one in first] == ["slow.example", "example.org"]
    assert first[1].task_id == quick


async def test_delivery_can_be_repeated_for_another_day(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    task_id = await ended(repository)
    await queue.make(10)
    first = await one_claimed(queue)
    await queue.delivered(first, ACCEPTED)
    repeated = await log.repeat(task_id)
    assert (repeated.state, repeated.ended_at, repeated.delivery_id) == (DeliveryState.WAITING, None, first.delivery_id)
    again = await one_claimed(queue)
    assert (again.delivery_id, again.body) == (first.delivery_id, first.body)
    assert await queue.failed(again, BUSY, SECOND) is DeliveryState.WAITING


async def test_dead_deliveries_are_repeated_together(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog
) -> None:
    tasks = [await ended(repository) for _ in range(4)]
    await queue.make(10)
    for claimed in await queue.claim(10, MINUTE, [], ROOM):
        gone = claimed.task_id != tasks[0]
        await (
            queue.failed(claimed, Attempt(error="410", gone=True), SECOND)
            if gone
            else queue.delivered(claimed, ACCEPTED)
        )
    assert [await log.repeat_dead(2) for _ in range(3)] == [2, 1, 0]
    assert {one.task_id for one in await queue.claim(10, MINUTE, [], ROOM)} == set(tasks[1:])


async def test_deliveries_are_listed_by_state_in_pages(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    tasks = [await ended(repository) for _ in range(5)]
    for number, task_id in enumerate(tasks):
        await queue.make(10)
        await let_pass(database, task_id, 100 - number, "created_at")
    seen, before = [], None
    while True:
        page = await log.find(DeliveryState.WAITING, before, 2)
        seen += [one.task_id for one in page.deliveries]
        if (before := page.next) is None:
            break
    assert seen == tasks[::-1]
    assert (await log.find(DeliveryState.DEAD, None, 2)).deliveries == []
    assert len((await log.find(None, None, 10)).deliveries) == 5


async def test_deliveries_of_other_projects_are_unknown(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog
) -> None:
    task_id = await ended(repository)
    await queue.make(10)
    other = log.within(ProjectName("other"))
    with pytest.raises(TaskNotFound):
        await other.of_task(task_id)
    with pytest.raises(DeliveryNotFound):
        await other.repeat(task_id)
    with pytest.raises(TaskNotFound):
        await log.of_task(TaskId(uuid4()))
    assert (await other.find(None, None, 10)).deliveries == []
    assert await other.repeat_dead(10) == 0


async def test_old_deliveries_are_deleted_when_they_have_ended(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, log: SqlDeliveryLog, database: Database
) -> None:
    old, new, waiting = [await ended(repository) for _ in range(3)]
    await queue.make(10)
    for claimed in await queue.claim(10, MINUTE, [], ROOM):
        if claimed.task_id != waiting:
            await queue.delivered(claimed, ACCEPTED)
    await let_pass(database, old, 3600, "ended_at", "created_at")
    await let_pass(database, waiting, 3600, "created_at")
    assert [await queue.delete_ended(MINUTE, 10) for _ in range(2)] == [1, 0]
    assert [len(await log.of_task(task_id)) for task_id in (old, new, waiting)] == [0, 1, 1]


async def test_secret_stays_until_it_is_rotated(database: Database) -> None:
    secrets, project = SqlSecretStore(database), ProjectName("optics")
    made = await asyncio.gather(*(secrets.get(project) for _ in range(5)))
    assert len({one.secret for one in made}) == 1
    assert made[0].secret.startswith("whsec_")
    assert made[0].previous is None
    assert (await secrets.get(ProjectName("other"))).secret != made[0].secret


async def test_rotated_secret_signs_beside_the_new_one_for_a_while(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, database: Database
) -> None:
    secrets, new = SqlSecretStore(database), new_secret()
    old = await secrets.get(DEFAULT_PROJECT)
    for _ in range(2):  # the answer to a COMMIT may be lost
        rotated = await secrets.rotate(DEFAULT_PROJECT, new, DAY, TESTER)
        assert (rotated.secret, rotated.previous) == (new, old.secret)
    [entry] = (await SqlAuditLog(database).find(None, None, 10)).entries
    assert entry.record.action == "webhook_secret.rotated"
    assert new not in str(entry)
    await ended(repository)
    await queue.make(10)
    assert (await one_claimed(queue, timedelta())).secrets == [new, old.secret]
    newest = (await secrets.rotate(DEFAULT_PROJECT, new_secret(), timedelta(), TESTER)).secret
    assert (await one_claimed(queue)).secrets == [newest]


async def test_stored_delivery_has_no_secret(
    repository: SqlTaskRepository, queue: SqlDeliveryQueue, database: Database
) -> None:
    await ended(repository)
    await queue.make(10)
    claimed = await one_claimed(queue)
    row = await database.read(lambda connection: connection.execute(select(deliveries)).one())
    assert claimed.secrets[0] not in str(row)
