"""How claims divide slots between projects, on PostgreSQL and SQLite."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ketline.db.access import SqlProjectStore
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import project_shares, share_measurements, tasks
from ketline.db.shares import HALF_LIFE_SECONDS, SqlProjectShares
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.tasks.shared_queues import MEMORY_SECONDS, SharedQueues
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import ProjectUnknown
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from tests.actors import TESTER
from tests.contract.test_priority import UNKNOWN, claim, claims, found_long, waiting
from tests.contract.test_repository import LEASE, RESULT, WORKER, submission
from tests.statemachine.world import RepeatingDatabase

OURS, THEIRS, OTHERS = ProjectName("ours"), ProjectName("theirs"), ProjectName("another")


def of(project: ProjectName, database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, project=project)


async def waiting_of(database: Database, project: ProjectName, number: int) -> Sequence[TaskId]:
    return await waiting(of(project, database), *[0] * number)


async def use(database: Database, project: ProjectName, seconds: float, queue: TaskQueue = SIMULATIONS) -> None:
    """Let a project have used so many seconds of slots lately."""

    def work(connection: Connection) -> None:
        values = {"queue": queue.name, "project": project, "used_seconds": seconds}
        connection.execute(insert(project_shares).values(values))

    await database.write(work)


async def used(database: Database) -> dict[str, float]:
    statement = select(project_shares.c.project, project_shares.c.used_seconds)
    rows = await database.read(lambda it: it.execute(statement).all())
    return {row.project: row.used_seconds for row in rows}


async def let_pass(database: Database, seconds: float) -> None:
    """Let the last measurement have been so long ago; the first one only begins."""

    def work(connection: Connection) -> None:
        connection.execute(delete(share_measurements))
        connection.execute(insert(share_measurements).values(id=1, measured_at=from_now(-seconds)))

    await database.write(work)


async def turns(database: Database, told_of: Sequence[TaskId]) -> str:
    """The first letters of the projects that get slots for these messages, none of which ends meanwhile."""
    repository = of(DEFAULT_PROJECT, database)
    claimed = await claims(repository, told_of)
    statement = select(tasks.c.task_id, tasks.c.project)
    rows = await database.read(lambda it: it.execute(statement).all())
    projects = {row.task_id: row.project for row in rows}
    return "".join(projects[task_id][0] for task_id in claimed)


async def test_projects_take_turns(database: Database) -> None:
    ours, theirs = await waiting_of(database, OURS, 4), await waiting_of(database, THEIRS, 4)
    order = await turns(database, [*ours, *theirs])
    assert all(set(order[number : number + 2]) == {"o", "t"} for number in range(0, 8, 2)), order


async def test_one_that_came_late_waits_for_no_flood(database: Database) -> None:
    ours, [theirs] = await waiting_of(database, OURS, 20), await waiting_of(database, THEIRS, 1)
    assert await claims(of(OURS, database), ours[:2]) == [ours[0], theirs]


async def test_slots_go_by_weight(database: Database) -> None:
    store = SqlProjectStore(database)
    for name, weight in ((OURS, 3.0), (THEIRS, 1.0)):
        await store.add(name, TESTER)
        assert (await store.change(name, weight=weight, actor=TESTER)).weight == weight
    ours, theirs = await waiting_of(database, OURS, 12), await waiting_of(database, THEIRS, 12)
    assert Counter(await turns(database, [*ours, *theirs][:12])) == {"o": 9, "t": 3}


async def test_weight_of_no_project_is_an_error(database: Database) -> None:
    with pytest.raises(ProjectUnknown):
        await SqlProjectStore(database).change(OURS, weight=2.0, actor=TESTER)


@pytest.mark.parametrize("weight", [0.0, -1.0, 1000.5, math.inf, math.nan])
async def test_weight_that_claims_cannot_divide_by_is_not_stored(weight: float, database: Database) -> None:
    store = SqlProjectStore(database)
    await store.add(OURS, TESTER)
    with pytest.raises(IntegrityError):
        await store.change(OURS, weight=weight, actor=TESTER)
    assert (await store.get(OURS)).weight == 1.0


async def test_project_that_used_nothing_lately_comes_first(database: Database) -> None:
    await use(database, OURS, 100)
    ours, theirs = await waiting_of(database, OURS, 12), await waiting_of(database, THEIRS, 10)
    assert await turns(database, ours) == "t" * 10 + "oo"
    assert await turns(database, theirs) == "o" * 10


async def test_use_of_another_queue_does_not_count(database: Database) -> None:
    await use(database, OURS, 100, CONVERSIONS)
    ours, theirs = await waiting_of(database, OURS, 1), await waiting_of(database, THEIRS, 1)
    assert await turns(database, [*ours, *theirs]) == "ot"


async def test_project_alone_has_everything(database: Database) -> None:
    await use(database, OURS, 1000)
    ours = await waiting_of(database, OURS, 5)
    assert await claims(of(OURS, database), ours[::-1]) == ours[::-1]


async def test_priority_counts_within_a_project_only(database: Database) -> None:
    await use(database, OURS, 100)
    low, high = await waiting(of(OURS, database), 0, 100)
    [theirs] = await waiting(of(THEIRS, database), -100)
    assert await claims(of(OURS, database), [low, high, theirs]) == [theirs, high, low]


async def test_task_that_lost_its_message_to_another_project_keeps_its_place(database: Database) -> None:
    await use(database, OURS, 100)
    first, second, third = await waiting_of(database, OURS, 3)
    [theirs] = await waiting_of(database, THEIRS, 1)
    assert await claims(of(OURS, database), [first, second, third, theirs]) == [theirs, first, second, third]


async def test_messages_about_no_task_are_divided_too(database: Database) -> None:
    await waiting_of(database, OURS, 3)
    await waiting_of(database, THEIRS, 3)
    assert Counter(await turns(database, [UNKNOWN] * 4)) == {"o": 2, "t": 2}


async def test_project_without_a_message_has_no_turn(database: Database) -> None:
    """Its task would be claimed by a message that is not there."""
    await use(database, OURS, 100)
    [ours] = await waiting_of(database, OURS, 1)
    await of(THEIRS, database).add(submission())
    assert await claims(of(OURS, database), [ours]) == [ours]


async def test_project_whose_tasks_are_not_available_has_no_turn(database: Database) -> None:
    await use(database, OURS, 100)
    [theirs] = await waiting_of(database, THEIRS, 1)
    await database.write(lambda it: it.execute(update(tasks).values(available_at=from_now(60))))
    [ours] = await waiting_of(database, OURS, 1)
    assert await claims(of(OURS, database), [theirs]) == [ours]


async def test_claims_at_once_divide_all_tasks_between_them(database: Database) -> None:
    """On PostgreSQL they are one statement."""
    ours, theirs = await waiting_of(database, OURS, 10), await waiting_of(database, THEIRS, 10)
    repository = of(OURS, database)
    first = await asyncio.gather(*(repository.claim(UNKNOWN, WORKER, LEASE) for _ in range(10)))
    second = await asyncio.gather(*(repository.claim(told_of, WORKER, LEASE) for told_of in ours))
    assert Counter(claim.lease.task_id in ours for claim in first if claim) == {True: 5, False: 5}
    assert {claim.lease.task_id for claim in (*first, *second) if claim} == {*ours, *theirs}
    assert all(claim and claim.lease.attempt == 1 for claim in (*first, *second))
    assert len({claim.lease.token for claim in (*first, *second) if claim}) == 20


async def test_tasks_whose_messages_were_used_at_once_keep_their_places(database: Database) -> None:
    await use(database, OURS, 100)
    ours, theirs = await waiting_of(database, OURS, 6), await waiting_of(database, THEIRS, 3)
    repository = of(OURS, database)
    first = await asyncio.gather(*(repository.claim(told_of, WORKER, LEASE) for told_of in ours[:3]))
    assert {claim.lease.task_id for claim in first if claim} == set(theirs)
    another_worker = of(OURS, database)
    assert await claims(another_worker, [*ours[3:], *theirs]) == ours


async def test_tasks_whose_messages_were_used_under_load_keep_their_places(database: Database) -> None:
    """The process that used them lets the tasks overtake a second later, if they still wait."""
    seconds = 0.0
    shared_queues = SharedQueues(clock=lambda: seconds)
    repository = SqlTaskRepository(database, shared_queues=shared_queues)
    await use(database, OURS, 100)
    ours, theirs = await waiting_of(database, OURS, 6), await waiting_of(database, THEIRS, 3)
    assert await claims(repository, ours[:3]) == theirs
    another_worker = of(OURS, database)
    assert await claims(another_worker, theirs[:1]) == ours[:1]
    seconds += MEMORY_SECONDS
    assert await claims(repository, [ours[5]]) == [ours[1]]
    assert await claims(another_worker, [ours[4], ours[3], *theirs[1:]]) == ours[2:]


async def test_task_that_lost_its_message_under_load_and_was_claimed_since_is_left_alone(database: Database) -> None:
    seconds = 0.0
    repository = SqlTaskRepository(database, shared_queues=SharedQueues(clock=lambda: seconds))
    await use(database, OURS, 100)
    ours, theirs = await waiting_of(database, OURS, 3), await waiting_of(database, THEIRS, 2)
    assert await claims(repository, [*ours[:2], UNKNOWN, UNKNOWN]) == [*theirs, *ours[:2]]
    seconds += MEMORY_SECONDS
    assert await claims(repository, [UNKNOWN]) == ours[2:]
    statement = select(tasks.c.task_id).where(tasks.c.overtakes)
    rows = await database.read(lambda it: it.execute(statement).all())
    assert [row.task_id for row in rows] == ours[:1], "the first, of which it was not known that the queue is shared"


async def test_short_claim_passes_over_a_project_whose_tasks_are_long(database: Database) -> None:
    await use(database, OURS, 100)
    [long] = await waiting_of(database, THEIRS, 1)
    await found_long(of(THEIRS, database), long)
    [ours] = await waiting_of(database, OURS, 1)
    short = await of(OURS, database).claim_short(UNKNOWN, WORKER, LEASE)
    assert short is not None
    assert short.lease.task_id == ours


async def test_repeated_claim_takes_no_second_task(database: Database) -> None:
    """As after a COMMIT whose response was lost."""
    first, second = await waiting_of(database, OURS, 2)
    twice = RepeatingDatabase(database)
    twice.repeating = True
    claimed = await of(OURS, twice).claim(UNKNOWN, WORKER, LEASE)
    assert claimed is not None
    assert claimed.lease.task_id == first
    assert (await of(OURS, database).get(second)).status is TaskStatus.PENDING


async def test_what_ended_is_measured_once(database: Database) -> None:
    repository = of(OURS, database)
    [task_id] = await waiting_of(database, OURS, 1)
    held = await claim(repository, task_id)
    await database.write(lambda it: it.execute(update(tasks).values(claimed_at=from_now(-30))))
    assert await repository.finish(held.lease, RESULT)
    await let_pass(database, 10)
    shares = SqlProjectShares(database)
    for _ in range(3):
        await shares.measure()
    assert await used(database) == {"ours": pytest.approx(30, abs=2)}


async def test_measurement_soon_after_another_counts_nothing_twice(database: Database) -> None:
    """As where several processes measure: what ended before the last measurement was counted by it."""
    repository = of(OURS, database)
    [task_id] = await waiting_of(database, OURS, 1)
    assert await repository.finish((await claim(repository, task_id)).lease, RESULT)

    def work(connection: Connection) -> None:
        times = {"claimed_at": from_now(-30), "completed_at": from_now(-0.61)}
        connection.execute(update(tasks).values(times))
        connection.execute(insert(share_measurements).values(id=1, measured_at=from_now(-0.6)))

    await database.write(work)
    await SqlProjectShares(database).measure()
    assert await used(database) == {}


async def test_use_counts_for_half_after_a_while(database: Database) -> None:
    await use(database, OURS, 100)
    await let_pass(database, HALF_LIFE_SECONDS)
    await SqlProjectShares(database).measure()
    assert await used(database) == {"ours": pytest.approx(50, abs=2)}


async def test_first_measurement_begins_and_an_idle_service_has_none(database: Database) -> None:
    shares = SqlProjectShares(database)
    await shares.measure()
    await shares.measure()
    assert await used(database) == {}


async def test_clock_that_was_set_back_does_not_stop_measurements(database: Database) -> None:
    await use(database, OURS, 100)
    await let_pass(database, -3600)
    await SqlProjectShares(database).measure()
    assert (await used(database))["ours"] < 100


async def test_no_project_starves_among_two_that_never_rest(database: Database) -> None:
    """The tasks of the others take no time, so that only use of before and running tasks decide."""
    await use(database, OURS, 4.5)
    [ours] = await waiting_of(database, OURS, 1)
    repository = of(OURS, database)
    for _ in range(12):
        [theirs], [others] = await waiting_of(database, THEIRS, 1), await waiting_of(database, OTHERS, 1)
        if ours in await claims(repository, [theirs, others]):
            return
    raise AssertionError("the task was never claimed")
