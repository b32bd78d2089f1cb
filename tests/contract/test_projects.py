"""Two projects on one database: neither finds a task of the other, nor a trace of one, on PostgreSQL and SQLite."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.errors import TaskNotFound
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.lists import Changeable, Order, Position, TaskChange, TaskFilter, TaskQuery
from ketline.domain.tasks.submission import Accepted, IdempotencyKey
from tests.actors import TESTER
from tests.contract.test_repository import FAILURE, LEASE, RESULT, WORKER, submission
from tests.specs import respecified

OURS, THEIRS = ProjectName("ours"), ProjectName("theirs")
LABELS = Labels(name="vqe", tags=("shared",))
KEY = IdempotencyKey(key="k 1", fingerprint="f")

Call = Callable[[SqlTaskRepository, SqlTaskCatalogue, TaskId], Awaitable[object]]

CALLS: dict[str, Call] = {
    "get": lambda repository, _, task_id: repository.get(task_id),
    "result_text": lambda repository, _, task_id: repository.result_text(task_id),
    "history": lambda repository, _, task_id: repository.history(task_id, 0),
    "cancel": lambda repository, _, task_id: repository.cancel(task_id, TESTER),
    "enqueue": lambda repository, _, task_id: repository.enqueue(task_id),
    "change": lambda _, catalogue, task_id: catalogue.change(
        task_id, TaskChange(fields=frozenset({Changeable.NAME, Changeable.PRIORITY}), labels=Labels(name="mine"))
    ),
    "change of nothing": lambda _, catalogue, task_id: catalogue.change(task_id, TaskChange(fields=frozenset())),
    "spec": lambda _, catalogue, task_id: catalogue.spec(task_id),
    "delete": lambda _, catalogue, task_id: catalogue.delete(task_id, TESTER),
    "program": lambda repository, _, task_id: SqlProgramLibrary(repository.database, repository.project).get(task_id),
}


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, project=OURS)


@pytest.fixture
def catalogue(database: Database) -> SqlTaskCatalogue:
    return SqlTaskCatalogue(database, project=OURS)


async def stored(repository: SqlTaskRepository, *, hold: bool = False, priority: int = 0) -> TaskId:
    spec = respecified(submission(), labels=LABELS, hold=hold, priority=priority)
    return (await repository.add(spec)).task_id


async def ended(repository: SqlTaskRepository, status: TaskStatus) -> TaskId:
    task_id = await stored(repository)
    claim = await repository.claim(task_id, WORKER, LEASE)
    assert claim is not None
    if status is TaskStatus.COMPLETED:
        assert await repository.finish(claim.lease, RESULT)
    else:
        assert await repository.fail(claim.lease, FAILURE)
    return task_id


async def listed(catalogue: SqlTaskCatalogue, query: TaskQuery) -> tuple[list[TaskId], list[Position]]:
    """Every task that a caller finds who follows the list to its end, and every position on the way."""
    found: list[TaskId] = []
    positions: list[Position] = []
    while True:
        page = await catalogue.find(query)
        found += [one.task.task_id for one in page.tasks]
        if page.next is None:
            return found, positions
        positions.append(page.next)
        query = replace(query, after=page.next)


@pytest.mark.parametrize("call", CALLS)
async def test_task_of_another_project_is_not_found(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue, call: str
) -> None:
    theirs = repository.within(THEIRS)
    tasks = [
        await stored(theirs),
        await stored(theirs, hold=True),
        await ended(theirs, TaskStatus.COMPLETED),
        await ended(theirs, TaskStatus.FAILED),
    ]
    before = [await theirs.get(task_id) for task_id in tasks]
    unknown = TaskId(uuid4())
    with pytest.raises(TaskNotFound) as missing:
        await CALLS[call](repository, catalogue, unknown)
    for task_id in tasks:
        with pytest.raises(TaskNotFound) as rejected:
            await CALLS[call](repository, catalogue, task_id)
        assert str(rejected.value) == str(missing.value).replace(str(unknown), str(task_id))
    assert [await theirs.get(task_id) for task_id in tasks] == before


async def test_task_belongs_to_its_project_and_owner(repository: SqlTaskRepository) -> None:
    accepted = await repository.add(replace(submission(), owner=Owner("ada")))
    task = await repository.get(accepted.task_id)
    assert (task.project, task.owner) == (OURS, "ada")
    assert (await repository.within(DEFAULT_PROJECT).add(submission())).repeated is False


WHICH = {
    "all": TaskFilter(),
    "pending": TaskFilter(statuses=[TaskStatus.PENDING]),
    "two statuses": TaskFilter(statuses=[TaskStatus.COMPLETED, TaskStatus.FAILED]),
    "tag": TaskFilter(tags=["shared"]),
    "name": TaskFilter(name="vqe"),
    "prefix": TaskFilter(name_prefix="v"),
    "worker": TaskFilter(worker_id=WORKER),
    "error": TaskFilter(error_code=FailureCode.PARSE_ERROR),
    "other project": TaskFilter(project=THEIRS),
}


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("order", [Order.NEWEST_FIRST, Order.FIRST_ENDED_FIRST])
async def test_lists_and_their_cursors_have_nothing_of_another_project(
    repository: SqlTaskRepository, database: Database, which: str, order: Order
) -> None:
    ours: set[TaskId] = set()
    for status in (TaskStatus.COMPLETED, TaskStatus.FAILED):
        ours |= {await ended(repository, status), await stored(repository)}
        for _ in range(4):
            await ended(repository.within(THEIRS), status)
            await stored(repository.within(THEIRS))
    # So few are examined for a page that a list of ours must continue behind tasks of theirs.
    catalogue = SqlTaskCatalogue(database, looked_at=2, project=OURS)
    query = TaskQuery(which=WHICH[which], order=order, limit=1)
    found, positions = await listed(catalogue, query)
    assert set(found) <= ours
    times = {
        at for one in ours for task in [await repository.get(one)] for at in (task.submitted_at, task.completed_at)
    }
    assert {position.at for position in positions} <= times
    alone = SqlTaskCatalogue(database, project=OURS)
    assert sorted(found) == sorted((await listed(alone, replace(query, limit=50)))[0])


async def test_counts_are_those_of_the_project(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    nothing = replace(await catalogue.summarize(), at=(await catalogue.summarize()).at)
    theirs = repository.within(THEIRS)
    for status in (TaskStatus.COMPLETED, TaskStatus.FAILED):
        await ended(theirs, status)
    claim = await theirs.claim(await stored(theirs), WORKER, LEASE)
    assert claim is not None
    await stored(theirs)
    assert replace(await catalogue.summarize(), at=nothing.at) == nothing
    counted = await catalogue.within(THEIRS).summarize()
    assert list(counted.counts.values()) == [1, 1, 1, 1, 0]
    assert counted.oldest_pending_seconds is not None


async def test_events_are_those_of_the_project(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    theirs = await ended(repository.within(THEIRS), TaskStatus.COMPLETED)
    ours = await stored(repository)
    for tags in ([], ["shared"]):
        newest = await catalogue.last_line()
        lines = await catalogue.lines(tags, after=0, upto=newest, known=(), limit=100)
        assert {line.task_id for line in lines} == {ours}
        recent = await catalogue.lines(tags, after=newest, upto=newest, known=(), limit=0)
        assert {line.task_id for line in recent} == {ours}
    assert {
        line.task_id for line in await catalogue.within(THEIRS).lines([], after=0, upto=newest, known=(), limit=9)
    } == {theirs}


async def test_ended_tasks_of_another_project_are_missing(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    theirs = repository.within(THEIRS)
    tasks = [await ended(theirs, TaskStatus.COMPLETED), await stored(theirs)]
    found = await catalogue.ended(tasks, 1 << 20)
    assert (found.tasks, found.unread, found.running) == ([], [], [])


async def test_queue_position_counts_the_tasks_of_the_project(
    repository: SqlTaskRepository, catalogue: SqlTaskCatalogue
) -> None:
    theirs = [await stored(repository.within(THEIRS)) for _ in range(3)]
    ours = await stored(repository)
    await repository.take_due(10)
    assert await catalogue.queue_position(theirs[0]) is None
    position = await catalogue.queue_position(ours)
    assert position is not None
    assert (position.ahead, position.ended) == (0, 0)


async def test_projects_have_keys_of_their_own(repository: SqlTaskRepository, catalogue: SqlTaskCatalogue) -> None:
    accepted: dict[ProjectName, Accepted] = {}
    for project in (DEFAULT_PROJECT, OURS, THEIRS):
        # Another body under the same key, which within one project would be rejected.
        key = replace(KEY, fingerprint=project)
        accepted[project] = await repository.within(project).add(submission(key=key))
        assert await catalogue.within(project).accepted_under(key) == replace(accepted[project], repeated=True)
        again = await repository.within(project).add(submission(key=key))
        assert (again.task_id, again.repeated) == (accepted[project].task_id, True)
    assert len({one.task_id for one in accepted.values()}) == 3
    assert await catalogue.within(ProjectName("fourth")).accepted_under(KEY) is None


async def test_keys_of_a_batch_are_those_of_the_project(repository: SqlTaskRepository) -> None:
    keyed = [submission(key=replace(KEY, key=f"{KEY.key} {number}")) for number in range(3)]
    first = await repository.add_all(keyed)
    other = await repository.within(THEIRS).add_all([replace(one, task_id=TaskId(uuid4())) for one in keyed])
    assert not {one.task_id for one in first} & {one.task_id for one in other}
    assert [one.repeated for one in (*first, *other)] == [False] * 6


async def test_workers_show_the_tasks_of_the_project(repository: SqlTaskRepository, database: Database) -> None:
    workers = SqlWorkerRegistry(database, OURS)
    identity = WorkerIdentity(worker_id=WorkerId(WORKER), slots=2, version="1")
    await workers.beat(identity, None, timedelta(minutes=1))
    for project in (OURS, THEIRS):
        within = repository.within(project)
        assert await within.claim(await stored(within), WORKER, LEASE) is not None
    shown = {project: await workers.within(project).live() for project in (OURS, THEIRS, DEFAULT_PROJECT)}
    assert {project: [len(one.tasks) for one in live] for project, live in shown.items()} == {
        OURS: [1],
        THEIRS: [1],
        DEFAULT_PROJECT: [0],
    }
    assert shown[OURS][0].tasks[0].task_id != shown[THEIRS][0].tasks[0].task_id


@pytest.mark.parametrize("named", [True, False], ids=["by its message", "in turn"])
async def test_claim_has_the_project_of_the_task(repository: SqlTaskRepository, named: bool) -> None:
    task_id = await stored(repository)
    await repository.take_due(10)
    claim = await repository.claim(task_id if named else TaskId(uuid4()), WORKER, LEASE)
    assert claim is not None
    assert (claim.lease.task_id, claim.project) == (task_id, OURS)


async def test_workers_and_upkeep_take_the_tasks_of_all_projects(repository: SqlTaskRepository) -> None:
    tasks = {await stored(repository.within(project)) for project in (DEFAULT_PROJECT, OURS, THEIRS)}
    assert {dispatch.task_id for dispatch in await repository.take_due(10)} == tasks
    assert set(await repository.statuses(list(tasks))) == tasks
