"""What a `TaskCatalogue` promises about lists and statistics, on PostgreSQL and SQLite."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Row, insert, update

from ketline.api.tasks.line_reader import EXAMINED_AT_ONCE, LineReader
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.lists.optional_columns import count_fitting
from ketline.db.schema.tables import status_history, task_labels, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.lists import ListedTask, Order, QueueCounts, TaskFilter, TaskPart, TaskQuery
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from tests.actors import TESTER
from tests.contract.test_kinds import in_queue
from tests.contract.test_repository import FAILURE, LEASE, RESULT, WORKER, move_back, submission
from tests.specs import respecified

# Beyond every line of history.
EVERY = 2**62
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = [None, "vqe", "vqe 1", "vqe%", "VQE", "é", "é😀", "z"]
TAGS = ["a", "b", "A", "rare"]
OWNERS = [None, "ada", "bob"]
WORKERS = ["w-1", "w-2"]
TaskRow = dict[str, Any]


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database)


@pytest.fixture
def catalogue(database: Database) -> SqlTaskCatalogue:
    return SqlTaskCatalogue(database)


def random_task(chance: random.Random) -> TaskRow:
    """A row as the protocol could leave it; several are submitted, and several end, at the same time."""
    status = chance.choice(list(TaskStatus))
    submitted = START + timedelta(minutes=chance.randrange(20))
    ended = submitted + timedelta(minutes=chance.randrange(5)) if status.terminal else None
    code = {TaskStatus.FAILED: chance.choice(["timeout", "parse_error"]), TaskStatus.CANCELLED: "cancelled"}.get(status)
    started = status in {TaskStatus.PROCESSING, TaskStatus.COMPLETED, TaskStatus.FAILED}
    return {
        "task_id": UUID(int=chance.getrandbits(128)),
        "circuit": "x",
        "shots": 1,
        "correlation_id": "c",
        "max_attempts": 3,
        "attempt": int(started),
        "current_status": status,
        "submitted_at": submitted,
        "available_at": submitted,
        "completed_at": ended,
        "lease_owner": chance.choice(WORKERS) if started else None,
        "error_code": code,
        "error_message": code,
        "name": chance.choice(NAMES),
        "owner": chance.choice(OWNERS),
        "tags": [tag for tag in TAGS if chance.random() < (0.05 if tag == "rare" else 0.5)] or None,
    }


async def store(database: Database, rows: Sequence[TaskRow]) -> None:
    def labels_of(row: TaskRow) -> list[tuple[str, str]]:
        return [*(("tag", tag) for tag in row["tags"] or []), *([("name", row["name"])] if row["name"] else [])]

    def work(connection: Connection) -> None:
        connection.execute(insert(tasks), list(rows))
        labels = [
            {"task_id": row["task_id"], "submitted_at": row["submitted_at"], "kind": kind, "value": value}
            for row in rows
            for kind, value in labels_of(row)
        ]
        connection.execute(insert(task_labels), labels)

    await database.write(work)


def expected(rows: Sequence[TaskRow], which: TaskFilter, order: Order) -> list[UUID]:
    """The list as it is promised, from all rows."""
    column = "completed_at" if order.by_end else "submitted_at"
    found = [row for row in rows if row[column] is not None and matches(row, which)]
    found.sort(key=lambda row: (row[column], row["task_id"]), reverse=order.descending)
    return [row["task_id"] for row in found]


def matches(row: TaskRow, which: TaskFilter) -> bool:
    checks = [
        not which.statuses or row["current_status"] in which.statuses,
        all(tag in (row["tags"] or []) for tag in which.tags),
        which.name is None or row["name"] == which.name,
        which.name_prefix is None or ((row["name"] or "").startswith(which.name_prefix) and row["name"] is not None),
        which.worker_id is None or row["lease_owner"] == which.worker_id,
        which.error_code is None or row["error_code"] == which.error_code,
        which.owner is None or row["owner"] == which.owner,
        is_within(row["submitted_at"], which.submitted_after, which.submitted_before),
        is_within(row["completed_at"], which.completed_after, which.completed_before),
    ]
    return all(checks)


def is_within(at: datetime | None, after: datetime | None, before: datetime | None) -> bool:
    if at is None:
        return after is None and before is None
    return (after is None or at >= after) and (before is None or at < before)


def random_filter(chance: random.Random) -> TaskFilter:
    def sometimes(make: Callable[[], Any]) -> Any:
        return make() if chance.random() < 0.25 else None

    def moment() -> datetime:
        return START + timedelta(minutes=chance.randrange(22))

    return TaskFilter(
        statuses=sometimes(lambda: chance.choices(list(TaskStatus), k=chance.randrange(1, 4))) or (),
        tags=sometimes(lambda: chance.sample(TAGS, chance.randrange(1, 3))) or (),
        name=sometimes(lambda: chance.choice(NAMES)),
        name_prefix=sometimes(lambda: chance.choice(["v", "vqe", "é", "", "none"])),
        submitted_after=sometimes(moment),
        submitted_before=sometimes(moment),
        completed_after=sometimes(moment),
        completed_before=sometimes(moment),
        worker_id=sometimes(lambda: WorkerId(chance.choice(WORKERS))),
        owner=sometimes(lambda: Owner(chance.choice(["ada", "bob", "nobody"]))),
        error_code=sometimes(lambda: chance.choice([FailureCode.TIMEOUT, FailureCode.CANCELLED])),
    )


async def walk(catalogue: SqlTaskCatalogue, query: TaskQuery) -> list[ListedTask]:
    """The whole list, page by page."""
    found: list[ListedTask] = []
    while True:
        page = await catalogue.find(query)
        assert len(page.tasks) <= query.limit
        found += page.tasks
        if page.next is None:
            return found
        assert page.next != query.after, "a page goes on behind the last one"
        query = replace(query, after=page.next)


@pytest.mark.parametrize("looked_at", [4, 20, 2000])
async def test_lists_are_as_modelled_however_few_tasks_are_looked_at(database: Database, looked_at: int) -> None:
    chance = random.Random(looked_at)
    rows = [random_task(chance) for _ in range(60)]
    await store(database, rows)
    catalogue = SqlTaskCatalogue(database, looked_at=looked_at)
    for _ in range(40):
        which, order = random_filter(chance), chance.choice(list(Order))
        found = await walk(catalogue, TaskQuery(which=which, order=order, limit=chance.choice([2, 7, 50])))
        assert [listed.task.task_id for listed in found] == expected(rows, which, order), (which, order)


async def test_listed_task_is_as_it_was_stored(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    labels = Labels(name="n", tags=("a", "b"), metadata={"a": None})
    new = respecified(submission(), labels=labels, rerun_of=TaskId(uuid4()))
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE)
    assert claim is not None
    await repository.finish(claim.lease, RESULT)
    # Lists leave out what was requested.
    options = replace(new.spec.options, observables=())
    task = replace(await repository.get(new.task_id), inputs={}, time_limit_seconds=None, max_attempts=None)
    assert task.options == options

    [plain] = (await catalogue.find(TaskQuery())).tasks
    bare = replace(task, counts=None, profile=None, history=(), labels=replace(labels, metadata={}))
    assert (plain.task, plain.worker_id, plain.circuit) == (bare, WORKER, None)
    [full] = (await catalogue.find(TaskQuery(parts=frozenset(TaskPart)))).tasks
    assert (full.task, full.worker_id, full.circuit) == (task, WORKER, new.spec.circuit)


async def test_failed_task_is_listed_with_its_error(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    new = submission()
    await repository.add(new)
    claim = await repository.claim(new.task_id, WORKER, LEASE)
    assert claim is not None
    await repository.fail(claim.lease, FAILURE)
    [listed] = (await catalogue.find(TaskQuery())).tasks
    assert listed.task.failure == FAILURE


async def test_page_holds_a_bounded_amount_of_large_parts(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    new = [respecified(submission(), circuit="x" * 3_000_000) for _ in range(4)]
    for one in new:
        await repository.add(one)
    query = TaskQuery(order=Order.OLDEST_FIRST, parts=frozenset({TaskPart.CIRCUIT}))
    assert len((await catalogue.find(query)).tasks) == 2
    assert {listed.task.task_id for listed in await walk(catalogue, query)} == {one.task_id for one in new}


@pytest.mark.parametrize("part", [TaskPart.CIRCUIT, TaskPart.RESULT])
async def test_what_lies_behind_a_full_page_is_not_measured(database: Database, part: TaskPart) -> None:
    ids = [UUID(int=number) for number in range(1, 13)]
    large = {"circuit": "x" * 3_000_000, "result": {"counts": {"0" * 3_000_000: 1}}}
    row = {"shots": 1, "correlation_id": "c", "max_attempts": 3, "attempt": 1, "current_status": TaskStatus.COMPLETED}
    row |= {"submitted_at": START, "available_at": START, "completed_at": START, "circuit": "x", part: large[part]}
    measured = 0

    def work(connection: Connection) -> int:
        # Stands for the connection, to see how many tasks each statement looks at.
        class Watched:
            def execute(self, statement: Any) -> Sequence[Row[Any]]:
                nonlocal measured
                rows = connection.execute(statement).all()
                measured += len(rows)
                return rows

        return count_fitting(cast("Connection", Watched()), ids, {part})

    await database.write(lambda connection: connection.execute(insert(tasks), [row | {"task_id": one} for one in ids]))
    assert await database.read(work) == 2
    assert measured <= 4


async def test_list_finds_each_task_once_while_others_come_and_go(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    old = [submission() for _ in range(6)]
    for one in old:
        await repository.add(one)
    query, seen = TaskQuery(limit=2), []
    while True:
        page = await catalogue.find(query)
        seen += [listed.task.task_id for listed in page.tasks]
        await repository.add(submission())
        if page.next is None:
            break
        query = replace(query, after=page.next)
    assert sorted(seen) == sorted(one.task_id for one in old)


async def test_statistics_of_nothing(catalogue: SqlTaskCatalogue) -> None:
    counted = await catalogue.summarize()
    assert set(counted.counts.values()) == {0}
    assert set(counted.counts) == set(TaskStatus)
    assert counted.oldest_pending_seconds is None
    assert counted.queues == {}
    assert [(rate.minutes, rate.completed_per_minute, rate.failed_per_minute) for rate in counted.rates] == [
        (1, 0.0, 0.0),
        (5, 0.0, 0.0),
        (60, 0.0, 0.0),
    ]


async def test_statistics_count_statuses_and_recent_ends(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    for seconds in (10, 200, 3000, 5000):
        for fails in (False, True):
            new = submission()
            await repository.add(new)
            claim = await repository.claim(new.task_id, WORKER, LEASE)
            assert claim is not None
            await (repository.fail(claim.lease, FAILURE) if fails else repository.finish(claim.lease, RESULT))
            await move_back(database, new.task_id, "completed_at", seconds)
    await repository.add(submission())
    counted = await catalogue.summarize()
    assert (counted.counts[TaskStatus.COMPLETED], counted.counts[TaskStatus.FAILED]) == (4, 4)
    assert counted.counts[TaskStatus.PENDING] == 1
    assert [(rate.completed_per_minute, rate.failed_per_minute) for rate in counted.rates] == [
        (1.0, 1.0),
        (0.4, 0.4),
        (0.05, 0.05),
    ]
    assert abs(counted.at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_oldest_pending_task_is_one_that_waits(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    later = respecified(submission(), scheduled_for=datetime.now(UTC) + timedelta(hours=1))
    waiting = submission()
    for new, age in ((later, 5000), (waiting, 100)):
        await repository.add(new)
        await move_back(database, new.task_id, "submitted_at", age)
    counted = await catalogue.summarize()
    assert counted.oldest_pending_seconds is not None
    assert 100 <= counted.oldest_pending_seconds < 160


async def test_statistics_count_unfinished_tasks_by_queue(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    backend = TaskQueue(TaskKind.RUN, "aer")
    conversions = [in_queue(CONVERSIONS) for _ in range(4)]
    later = in_queue(backend, scheduled_for=datetime.now(UTC) + timedelta(hours=1))
    for new in (*conversions, in_queue(backend), later, in_queue(SIMULATIONS, hold=True)):
        await repository.add(new)
    claims = [await repository.claim(new.task_id, WORKER, LEASE, CONVERSIONS) for new in conversions[:2]]
    assert claims[0] is not None
    await repository.finish(claims[0].lease, RESULT)
    queues = (await catalogue.summarize()).queues
    assert list(queues.items()) == [
        ("convert", QueueCounts(waiting=2, processing=1)),
        ("run.aer", QueueCounts(waiting=1, processing=0)),
        ("simulate", QueueCounts(waiting=0, processing=0)),
    ]


async def test_lines_of_tagged_tasks_come_in_order(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    assert await catalogue.last_line() == 0
    tagged = [respecified(submission(), labels=Labels(tags=tags)) for tags in (["a"], ["a", "b"], [], ["b", "a", "c"])]
    for one in tagged:
        await repository.add(one)
    await repository.cancel(tagged[1].task_id, TESTER)
    everything = await catalogue.lines((), after=0, upto=EVERY, known=(), limit=100)
    assert [line.task_id for line in everything] == [*(one.task_id for one in tagged), tagged[1].task_id]
    assert [line.change.line_id for line in everything] == sorted(line.change.line_id for line in everything)
    assert await catalogue.last_line() == everything[-1].change.line_id
    both = await catalogue.lines(["b", "a", "a"], after=0, upto=EVERY, known=(), limit=100)
    assert [(line.task_id, line.change.status) for line in both] == [
        (tagged[1].task_id, TaskStatus.PENDING),
        (tagged[3].task_id, TaskStatus.PENDING),
        (tagged[1].task_id, TaskStatus.CANCELLED),
    ]
    assert await catalogue.lines((), after=0, upto=EVERY, known=(), limit=2) == everything[:2]
    third = everything[2].change.line_id
    assert await catalogue.lines((), after=0, upto=third, known=(), limit=100) == everything[:3]
    assert [list(line.tags) for line in everything] == [["a"], ["a", "b"], [], ["b", "a", "c"], ["a", "b"]]


async def test_young_lines_are_given_again_and_old_ones_not(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    old, young = submission(), submission()
    await repository.add(old)
    await repository.add(young)
    await repository.cancel(young.task_id, TESTER)

    def work(connection: Connection) -> None:
        past = update(status_history).where(status_history.c.task_id == old.task_id)
        connection.execute(past.values(transitioned_at=from_now(-60)))

    await database.write(work)
    last = await catalogue.last_line()
    again = await catalogue.lines((), after=last, upto=EVERY, known=(), limit=100)
    assert [line.task_id for line in again] == [young.task_id, young.task_id]
    assert await catalogue.lines((), after=last, upto=EVERY, known=(), limit=0) == again
    assert await catalogue.lines((), after=last, upto=EVERY, known=[last], limit=100) == again[:1]


async def test_lines_of_others_are_examined_once(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, database: Database
) -> None:
    """A stream without events would otherwise examine all that other projects did since it began, at each change."""
    one = submission()
    await repository.within(ProjectName("others")).add(one)
    reader = LineReader(catalogue, (), 0)
    assert await reader.read() == []
    assert reader.after == await catalogue.last_line()
    beginning = reader.after

    def work(connection: Connection) -> None:
        line = {"task_id": one.task_id, "status": TaskStatus.PENDING, "transitioned_at": START}
        connection.execute(insert(status_history).values(id=beginning + 3 * EXAMINED_AT_ONCE, **line))

    await database.write(work)
    await repository.add(submission())
    assert len(await reader.read()) == 1
    assert await reader.read() == []


async def test_young_lines_do_not_hide_later_ones(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    reader = LineReader(catalogue, (), 0)
    told: list[TaskId] = []
    for _ in range(3):
        stored = [submission() for _ in range(600)]
        await repository.add_all(stored)
        while lines := await reader.read():
            told += [line.task_id for line in lines]
        assert told[-600:] == [one.task_id for one in stored]
    assert len(told) == 1800


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("looked_at", [1, 1000])
async def test_first_and_last_of_all_times_bound_nothing(
    repository: SqlTaskRepository, database: Database, order: Order, looked_at: int
) -> None:
    catalogue = SqlTaskCatalogue(database, looked_at=looked_at)
    for _ in range(2):
        new = submission()
        await repository.add(new)
        await repository.cancel(new.task_id, TESTER)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    which = TaskFilter(submitted_after=first, submitted_before=last, completed_after=first, completed_before=last)
    assert len(await walk(catalogue, TaskQuery(which=which, order=order))) == 2


async def test_task_scheduled_for_the_first_of_all_times_is_listed(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    first = datetime.min.replace(tzinfo=UTC)
    await repository.add(respecified(submission(), scheduled_for=first))
    [listed] = (await catalogue.find(TaskQuery())).tasks
    assert listed.task.scheduled_for == first
    assert (await catalogue.summarize()).oldest_pending_seconds is not None
