"""Usage adds up with the profiles of the tasks, before and after they are deleted, on PostgreSQL and SQLite."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import tasks, usage_days
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.usage import SqlUsageLedger
from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.access.usage import Usage, UsageGroup, UsageQuery, UsageRow, total
from ketline.domain.circuits.program_format import Target
from ketline.domain.ids import TaskId
from ketline.domain.results.result import Conversion, MediaType, Point, RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.lists import Position
from ketline.domain.tasks.queues import CONVERSIONS
from ketline.domain.tasks.sweep import number_of_points
from ketline.domain.tasks.task import Task
from tests.actors import TESTER
from tests.contract.test_repository import FAILURE, LEASE, RESULT, WORKER, submission
from tests.specs import respecified

OURS, THEIRS = ProjectName("ours"), ProjectName("theirs")
OWNERS = [Owner("ada"), Owner("bob"), None]
NOW = datetime(2026, 3, 1, 0, 0, 0, tzinfo=UTC)
ALL = UsageQuery(project=None, groups=frozenset(UsageGroup))
Key = tuple[ProjectName, date | None, Owner | None]


@pytest.fixture
def ledger(database: Database) -> SqlUsageLedger:
    return SqlUsageLedger(database)


async def some_tasks(database: Database, number: int, seed: int) -> Sequence[Task]:
    """Tasks of both projects that ended in any way, some of them at the last and the first moment of a day."""
    chance = random.Random(seed)
    made = []
    for _ in range(number):
        repository = SqlTaskRepository(database, project=chance.choice([OURS, THEIRS]))
        task_id = await ended(repository, chance)
        ago = timedelta(days=chance.randrange(4), microseconds=chance.choice([0, 1, 3600 * 10**6]))
        await move_end(database, task_id, NOW - ago)
        made.append(await repository.get(task_id))
    return made


async def ended(repository: SqlTaskRepository, chance: random.Random) -> TaskId:
    inputs = {"theta": [0.5, 0.25, 0.125], "phi": 1.0} if chance.random() < 0.3 else {}
    new = replace(respecified(submission(), inputs=inputs, shots=10), owner=chance.choice(OWNERS))
    task_id = (await repository.add(new)).task_id
    outcome = chance.choice([TaskStatus.COMPLETED, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED])
    if outcome is TaskStatus.CANCELLED:
        await repository.cancel(task_id, TESTER)
        return task_id
    claim = await repository.claim(task_id, WORKER, LEASE)
    assert claim is not None
    if outcome is TaskStatus.FAILED:
        assert await repository.fail(claim.lease, FAILURE)
        return task_id
    profile = replace(
        RESULT.profile,
        simulating_seconds=round(chance.expovariate(0.1), 6),
        processor_seconds=chance.choice([None, round(chance.expovariate(0.1), 6)]),
        memory_bytes=chance.choice([None, chance.randrange(1, 1 << 40)]),
    )
    points = [Point(counts={"0": 10})] * 3 if inputs else None
    assert await repository.finish(claim.lease, replace(RESULT, profile=profile, points=points))
    return task_id


async def move_end(database: Database, task_id: TaskId, moment: datetime) -> None:
    def work(connection: Connection) -> None:
        connection.execute(tasks.update().where(tasks.c.task_id == task_id).values(completed_at=moment))

    await database.write(work)


def used(task: Task) -> Usage:
    """What one task took, as its own fields tell it."""
    profile = task.profile
    shots = task.shots * (number_of_points(task.inputs) or 1) if task.status is TaskStatus.COMPLETED else 0
    return Usage(
        **{task.status.value: 1},
        shots=0 if task.kind is TaskKind.CONVERT else shots,
        simulating_seconds=profile.simulating_seconds if profile else 0.0,
        processor_seconds=(profile.processor_seconds if profile else None) or 0.0,
        memory_bytes=profile.memory_bytes if profile else None,
    )


def added_up(made: Sequence[Task]) -> dict[Key, Usage]:
    found: dict[Key, Usage] = {}
    for task in made:
        assert task.completed_at is not None
        key = (task.project, task.completed_at.date(), task.owner)
        found[key] = found.get(key, Usage()) + used(task)
    return found


def check_equal(rows: Sequence[UsageRow], expected: dict[Key, Usage]) -> None:
    found = {(row.project, row.day, row.owner): row.usage for row in rows}
    assert found.keys() == expected.keys()
    for key, usage in found.items():
        seconds = {name: getattr(expected[key], name) for name in ("simulating_seconds", "processor_seconds")}
        assert {name: getattr(usage, name) for name in seconds} == pytest.approx(seconds, abs=1e-6)
        assert replace(usage, **seconds) == expected[key]


async def test_usage_adds_up_before_and_after_tasks_are_deleted(ledger: SqlUsageLedger, database: Database) -> None:
    made = await some_tasks(database, 60, seed=1)
    expected, catalogue = added_up(made), SqlTaskCatalogue(database)
    check_equal(await ledger.sums(ALL), expected)
    for task in made[::5]:
        await catalogue.within(task.project).delete(task.task_id, TESTER)
    check_equal(await ledger.sums(ALL), expected)
    position = Position(at=NOW - timedelta(days=2), task_id=TaskId(made[0].task_id))
    assert await catalogue.delete_before(position, 1000) > 0
    check_equal(await ledger.sums(ALL), expected)
    assert await catalogue.delete_older(timedelta(), 1000) > 0
    check_equal(await ledger.sums(ALL), expected)
    assert await database.read(lambda connection: connection.scalar(select(func.count()).select_from(tasks))) == 0


async def test_usage_adds_up_while_several_callers_delete(ledger: SqlUsageLedger, database: Database) -> None:
    made = await some_tasks(database, 60, seed=2)
    expected, catalogue = added_up(made), SqlTaskCatalogue(database)

    async def delete() -> int:
        return sum([await catalogue.delete_older(timedelta(), 5) for _ in range(12)])

    async def read() -> int:
        for _ in range(5):
            check_equal(await ledger.sums(ALL), expected)
        return 0

    deleted = await asyncio.gather(delete(), delete(), delete(), read())
    assert sum(deleted) == len(made)
    check_equal(await ledger.sums(ALL), expected)


@pytest.mark.parametrize("groups", [{UsageGroup.DAY}, {UsageGroup.OWNER}, set(), set(UsageGroup)])
async def test_usage_of_a_project_by_day_and_owner(
    ledger: SqlUsageLedger, database: Database, groups: set[UsageGroup]
) -> None:
    made = await some_tasks(database, 40, seed=3)
    await SqlTaskCatalogue(database, project=made[0].project).delete(made[0].task_id, TESTER)
    expected: dict[Key, Usage] = {}
    for (project, day, owner), usage in added_up(made).items():
        key = (project, day if UsageGroup.DAY in groups else None, owner if UsageGroup.OWNER in groups else None)
        if project == OURS:
            expected[key] = expected.get(key, Usage()) + usage
    check_equal(await ledger.sums(UsageQuery(project=OURS, groups=frozenset(groups))), expected)


async def test_usage_of_some_days_has_both_the_first_and_the_last(ledger: SqlUsageLedger, database: Database) -> None:
    made = await some_tasks(database, 40, seed=4)
    for task in made[::2]:
        await SqlTaskCatalogue(database, project=task.project).delete(task.task_id, TESTER)
    first, last = date(2026, 2, 27), date(2026, 2, 28)
    chosen = [task for task in made if task.completed_at and first <= task.completed_at.date() <= last]
    assert len({task.completed_at.date() for task in chosen if task.completed_at}) == 2
    check_equal(await ledger.sums(replace(ALL, first_day=first, last_day=last)), added_up(chosen))


async def test_conversion_has_no_shots(ledger: SqlUsageLedger, database: Database) -> None:
    repository = SqlTaskRepository(database, project=OURS)
    new = respecified(submission(), kind=TaskKind.CONVERT, target=Target.OPENQASM2)
    claim = await repository.claim((await repository.add(new)).task_id, WORKER, LEASE, queue=CONVERSIONS)
    assert claim is not None
    output = Conversion("OPENQASM 3.0;", media_type=MediaType.TEXT)
    result = RunResult(counts={}, shots=0, profile=RESULT.profile, conversion=output)
    assert await repository.finish(claim.lease, result)
    [row] = await ledger.sums(UsageQuery(project=OURS))
    assert (row.usage.completed, row.usage.shots) == (1, 0)
    assert row.usage.simulating_seconds == RESULT.profile.simulating_seconds


async def test_task_that_has_not_ended_has_no_usage(ledger: SqlUsageLedger, database: Database) -> None:
    repository = SqlTaskRepository(database, project=OURS)
    await repository.add(submission())
    assert await repository.claim((await repository.add(submission())).task_id, WORKER, LEASE)
    assert await ledger.sums(ALL) == []


async def test_deleted_tasks_of_a_day_take_one_row_for_each_owner(database: Database) -> None:
    made = await some_tasks(database, 60, seed=5)
    while await SqlTaskCatalogue(database).delete_older(timedelta(), 7):
        pass
    rows = await database.read(lambda connection: connection.scalar(select(func.count()).select_from(usage_days)))
    assert rows == len(added_up(made))


def test_total_has_the_largest_memory() -> None:
    usages = [Usage(completed=1, shots=3, memory_bytes=5), Usage(failed=1), Usage(cancelled=1, memory_bytes=7)]
    assert total(usages) == Usage(completed=1, failed=1, cancelled=1, shots=3, memory_bytes=7)
    assert total([]) == Usage()
