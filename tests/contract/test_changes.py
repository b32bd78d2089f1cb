"""What a `TaskCatalogue` promises about changes, deletions and retention, on PostgreSQL and SQLite."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import Connection, func, select, update

from ketline.api.tasks.views import view_task
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import idempotency_keys, status_history, task_labels, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import IdempotencyKeyReused, TaskNotEnded, TaskNotFound, TaskNotPending
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.lists import Changeable, TaskChange, TaskFilter, TaskQuery
from ketline.domain.tasks.queues import queue_of
from ketline.domain.tasks.spec_fields import SPEC_FIELDS
from ketline.domain.tasks.submission import IdempotencyKey
from tests.actors import TESTER
from tests.contract.test_repository import LEASE, RESULT, WORKER, claimed, move_back, seconds_until_due, submission
from tests.specs import CHANGED, IN_A_VIEW, respecified

T = TypeVar("T")
LABELS = Labels(name="old", tags=("a", "b"), metadata={"a": 1})


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, redispatch=timedelta(seconds=60))


@pytest.fixture
def catalogue(database: Database) -> SqlTaskCatalogue:
    return SqlTaskCatalogue(database)


def to_labels(*fields: Changeable, **labels: object) -> TaskChange:
    return TaskChange(fields=frozenset(fields), labels=Labels(**labels))  # type: ignore[arg-type]


def to_schedule(moment: datetime | None) -> TaskChange:
    return TaskChange(fields=frozenset({Changeable.SCHEDULED_FOR}), scheduled_for=moment)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


async def added(repository: SqlTaskRepository, labels: Labels = LABELS) -> TaskId:
    new = respecified(submission(), labels=labels)
    await repository.add(new)
    return new.task_id


async def ended(repository: SqlTaskRepository, database: Database, seconds_ago: float = 0) -> TaskId:
    new = respecified(submission(key=IdempotencyKey(key=uuid4().hex, fingerprint="f")), labels=LABELS)
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE)
    assert claim is not None
    assert await repository.finish(claim.lease, RESULT)
    await move_back(database, new.task_id, "completed_at", seconds_ago)
    return new.task_id


async def found(catalogue: SqlTaskCatalogue, **which: object) -> list[TaskId]:
    page = await catalogue.find(TaskQuery(which=TaskFilter(**which)))  # type: ignore[arg-type]
    return [listed.task.task_id for listed in page.tasks]


async def rows_about(database: Database, task_id: TaskId) -> list[int]:
    """How many rows of each table are about the task."""

    def work(connection: Connection) -> list[int]:
        counts = (
            select(func.count()).where(table.c.task_id == task_id)
            for table in (tasks, status_history, task_labels, idempotency_keys)
        )
        return [connection.execute(count).scalar_one() for count in counts]

    return await database.read(work)


async def test_changed_labels_are_read_and_found_by(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    task_id = await added(repository)
    await catalogue.change(task_id, to_labels(Changeable.TAGS, tags=("b", "c")))
    assert (await repository.get(task_id)).labels == replace(LABELS, tags=("b", "c"))
    assert await found(catalogue, tags=["a"]) == []
    assert await found(catalogue, tags=["b", "c"], name="old") == [task_id]
    await catalogue.change(task_id, to_labels(Changeable.NAME, Changeable.METADATA, name="new", metadata={"b": 2}))
    assert (await repository.get(task_id)).labels == Labels(name="new", tags=("b", "c"), metadata={"b": 2})
    assert (await found(catalogue, name="new"), await found(catalogue, name="old")) == ([task_id], [])


async def test_labels_are_removed(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    task_id, other = await added(repository), await added(repository)
    await catalogue.change(task_id, to_labels(Changeable.NAME, Changeable.TAGS, Changeable.METADATA))
    assert (await repository.get(task_id)).labels == Labels()
    assert await found(catalogue, tags=["a"], name_prefix="o") == [other]


async def test_labels_of_a_task_that_has_ended_may_be_changed(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id = await ended(repository, database)
    before = await repository.get(task_id)
    await catalogue.change(task_id, to_labels(Changeable.NAME, name="new"))
    assert await repository.get(task_id) == replace(before, labels=replace(LABELS, name="new"))


async def test_concurrent_changes_of_labels_leave_one_of_them(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id = await added(repository)
    changes = [to_labels(Changeable.TAGS, tags=(f"t{n}", "same")) for n in range(8)]
    await asyncio.gather(*(catalogue.change(task_id, change) for change in changes))
    tags = (await repository.get(task_id)).labels.tags
    assert tags in [change.labels.tags for change in changes]
    assert (await rows_about(database, task_id))[2] == 3
    assert await found(catalogue, tags=tags) == [task_id]


async def test_key_tells_what_was_accepted_under_it(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    key = IdempotencyKey(key="k", fingerprint="f")
    assert await catalogue.accepted_under(key) is None
    accepted = await repository.add(submission(key=key))
    assert await catalogue.accepted_under(key) == replace(accepted, repeated=True)
    with pytest.raises(IdempotencyKeyReused):
        await catalogue.accepted_under(replace(key, fingerprint="other"))

    def expire(connection: Connection) -> None:
        connection.execute(update(idempotency_keys).values(expires_at=from_now(-1)))

    await database.write(expire)
    assert await catalogue.accepted_under(key) is None


class CutDatabase(Database):
    """Undoes the first run of a write, as a connection cut before its COMMIT does; `cut` is what comes then."""

    def __init__(self, database: Database, cut: Callable[[], Awaitable[object]]) -> None:
        super().__init__(database._transactions, database.dialect)
        self.cut = cut

    async def write(self, work: Callable[[Connection], T]) -> T:
        def undone(connection: Connection) -> None:
            work(connection)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await super().write(undone)
        await self.cut()
        return await super().write(work)


async def test_change_whose_commit_failed_is_rejected_after_a_claim(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id = await added(repository)
    cut = CutDatabase(database, lambda: repository.claim(task_id, WORKER, LEASE))
    change = replace(to_schedule(None), fields=frozenset(Changeable), labels=Labels(name="new", tags=("c",)))
    with pytest.raises(TaskNotPending):
        await SqlTaskCatalogue(cut).change(task_id, change)
    assert (await repository.get(task_id)).labels == LABELS


async def test_change_whose_commit_was_unanswered_stays_after_a_claim(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id, labels = await added(repository), Labels(name="new", tags=("c", "d"), metadata={"b": [1.5, None]})
    change = TaskChange(fields=frozenset(Changeable), labels=labels)

    async def committed() -> None:
        await catalogue.change(task_id, change)
        assert await repository.claim(task_id, WORKER, LEASE) is not None

    await SqlTaskCatalogue(CutDatabase(database, committed)).change(task_id, change)
    assert (await repository.get(task_id)).labels == labels


async def test_change_of_nothing_asks_whether_the_task_is_there(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    await catalogue.change(await added(repository), TaskChange(fields=frozenset()))
    for change in (TaskChange(fields=frozenset()), to_labels(Changeable.NAME), to_schedule(None)):
        with pytest.raises(TaskNotFound):
            await catalogue.change(TaskId(uuid4()), change)


async def test_task_that_was_dispatched_is_put_off(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id = await added(repository)
    assert len(await repository.take_due(10)) == 1
    moment = in_an_hour()
    await catalogue.change(task_id, to_schedule(moment))
    assert (await repository.get(task_id)).scheduled_for == moment
    assert await repository.claim(task_id, WORKER, LEASE) is None, "by the message that is on the queue already"
    assert (await repository.count_dispatched(), await repository.take_due(10)) == ({}, [])
    assert 3500 < await seconds_until_due(database, task_id) <= 3600


async def test_put_off_task_is_not_due_early_when_its_message_could_not_be_published(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id = await added(repository)
    await repository.take_due(10)
    await catalogue.change(task_id, to_schedule(in_an_hour()))
    await repository.postpone([task_id], timedelta())
    assert await repository.take_due(10) == []
    assert 3500 < await seconds_until_due(database, task_id) <= 3600


@pytest.mark.parametrize("moment", [None, datetime(2020, 1, 2, tzinfo=UTC)])
async def test_scheduled_task_is_brought_forward(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, moment: datetime | None
) -> None:
    new = respecified(submission(), scheduled_for=in_an_hour())
    await repository.add(new)
    await catalogue.change(new.task_id, to_schedule(moment))
    assert (await repository.get(new.task_id)).scheduled_for == moment
    assert [dispatch.task_id for dispatch in await repository.take_due(10)] == [new.task_id]
    assert await repository.claim(new.task_id, WORKER, LEASE) is not None


async def test_schedule_of_a_task_that_was_started_stays(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    claim = await claimed(repository)
    for task_id, status in (
        (claim.lease.task_id, TaskStatus.PROCESSING),
        (await ended(repository, database), TaskStatus.COMPLETED),
    ):
        before = await repository.get(task_id)
        both = TaskChange(fields=frozenset(Changeable), labels=Labels(name="new"), scheduled_for=in_an_hour())
        with pytest.raises(TaskNotPending) as rejected:
            await catalogue.change(task_id, both)
        assert rejected.value.status is status
        assert await repository.get(task_id) == before


async def test_of_a_claim_and_a_change_of_schedule_one_wins(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    for _ in range(10):
        task_id = await added(repository)
        claim, change = await asyncio.gather(
            repository.claim(task_id, WORKER, LEASE),
            catalogue.change(task_id, to_schedule(in_an_hour())),
            return_exceptions=True,
        )
        status = (await repository.get(task_id)).status
        if claim is None:
            assert (change, status) == (None, TaskStatus.PENDING)
        else:
            assert isinstance(change, TaskNotPending)
            assert status is TaskStatus.PROCESSING


@pytest.mark.parametrize("name", CHANGED)
async def test_every_field_of_a_spec_is_stored_and_claimed(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, name: str
) -> None:
    new = replace(submission(), spec=replace(CHANGED[name], max_attempts=CHANGED[name].max_attempts or 3))
    await repository.add(new)
    assert await catalogue.spec(new.task_id) == new.spec
    if new.spec.hold:
        await repository.enqueue(new.task_id)
    await repository.take_due(10)
    claim = await repository.claim(new.task_id, WORKER, LEASE, queue_of(new.spec))
    assert claim is not None
    assert claim.spec == new.spec


@pytest.mark.parametrize("name", IN_A_VIEW)
async def test_every_field_that_is_shown_is_read_as_it_was_stored(repository: SqlTaskRepository, name: str) -> None:
    (field,) = [field for field in SPEC_FIELDS if field.name == name]
    new = replace(submission(), spec=replace(CHANGED[name], max_attempts=3))
    await repository.add(new)
    assert getattr(view_task(await repository.get(new.task_id)), IN_A_VIEW[name]) == field.stored(new.spec)


async def test_original_is_what_was_submitted(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    new = respecified(submission(), labels=LABELS)
    await repository.add(new)
    assert await catalogue.spec(new.task_id) == new.spec
    with pytest.raises(TaskNotFound):
        await catalogue.spec(TaskId(uuid4()))


async def test_deleted_task_is_gone_with_all_that_is_about_it(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id, other = await ended(repository, database), await ended(repository, database)
    assert await rows_about(database, task_id) == [1, 3, 3, 1]
    await catalogue.delete(task_id, TESTER)
    assert await rows_about(database, task_id) == [0, 0, 0, 0]
    assert await rows_about(database, other) == [1, 3, 3, 1]
    for gone in (repository.get(task_id), catalogue.delete(task_id, TESTER)):
        with pytest.raises(TaskNotFound):
            await gone
    assert await found(catalogue, tags=["a"]) == [other]
    assert await repository.claim(task_id, WORKER, LEASE) is None, "by a message that is left on the queue"


async def test_key_of_a_deleted_task_is_free(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    key = IdempotencyKey(key="k", fingerprint="f")
    first = submission(key=key)
    await repository.add(first)
    await repository.cancel(first.task_id, TESTER)
    await catalogue.delete(first.task_id, TESTER)
    second = submission(key=replace(key, fingerprint="other"))
    assert not (await repository.add(second)).repeated


async def test_task_that_has_not_ended_is_not_deleted(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    pending, claim = await added(repository), await claimed(repository)
    for task_id in (pending, claim.lease.task_id):
        before = await repository.get(task_id)
        with pytest.raises(TaskNotEnded) as rejected:
            await catalogue.delete(task_id, TESTER)
        assert rejected.value.status is before.status
        assert await repository.get(task_id) == before


async def test_task_is_deleted_once(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    task_id = await ended(repository, database)
    responses = await asyncio.gather(*(catalogue.delete(task_id, TESTER) for _ in range(5)), return_exceptions=True)
    assert sorted(map(type, responses), key=str) == sorted([type(None)] + [TaskNotFound] * 4, key=str)


async def test_old_tasks_are_deleted_in_batches(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    old = [await ended(repository, database, seconds_ago=100) for _ in range(3)]
    young, pending = await ended(repository, database, seconds_ago=10), await added(repository)
    await move_back(database, pending, "submitted_at", 1000)
    assert [await catalogue.delete_older(timedelta(seconds=50), 2) for _ in range(3)] == [2, 1, 0]
    assert [await rows_about(database, task_id) for task_id in old] == [[0, 0, 0, 0]] * 3
    assert {*await found(catalogue)} == {young, pending}


async def test_all_but_the_last_tasks_are_deleted(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    ids = [await ended(repository, database, seconds_ago=10 * number) for number in range(5)]
    pending, running = await added(repository), (await claimed(repository)).lease.task_id
    last_kept = await catalogue.last_kept(2)
    assert last_kept is not None
    assert last_kept.task_id == ids[1]
    assert [await catalogue.delete_before(last_kept, 2) for _ in range(3)] == [2, 1, 0]
    assert {*await found(catalogue)} == {*ids[:2], pending, running}
    assert await catalogue.last_kept(10) is None


async def test_of_tasks_that_ended_at_the_same_time_only_the_excess_is_deleted(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    ids = [await ended(repository, database) for _ in range(4)]
    await _end_all_at_once(database, ids)
    last_kept = await catalogue.last_kept(3)
    assert last_kept is not None
    assert await catalogue.delete_before(last_kept, 10) == 1
    assert len(await found(catalogue)) == 3


async def _end_all_at_once(database: Database, ids: Sequence[TaskId]) -> None:
    def work(connection: Connection) -> None:
        moment = datetime(2026, 1, 2, tzinfo=UTC)
        connection.execute(tasks.update().where(tasks.c.task_id.in_(ids)).values(completed_at=moment))

    await database.write(work)


async def test_concurrent_callers_delete_each_task_once(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    for _ in range(6):
        await ended(repository, database, seconds_ago=100)
    counts = await asyncio.gather(*(catalogue.delete_older(timedelta(seconds=50), 3) for _ in range(4)))
    assert sum(counts) == 6
