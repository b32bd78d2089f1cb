"""The history of statistics equals what the tasks say, on PostgreSQL and SQLite."""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from ketline.db.engine.database import Database
from ketline.db.history import SqlStatisticsHistory
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.lists.minutes import ALL_QUEUES, COUNTS, LONGEST, SECONDS, SERVICE, store_minute
from ketline.db.schema.tables import minute_deletions, minute_figures, minutes, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.workers import SqlWorkerRegistry
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.worker import WorkerIdentity
from ketline.domain.circuits.program_format import Target
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.operations.history import HistoryPoint, HistoryQuery, Minute, minute_of, start_of
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from tests.actors import TESTER
from tests.contract.test_repository import FAILURE, LEASE, RESULT, WORKER, submission
from tests.specs import respecified

OURS, THEIRS = ProjectName("ours"), ProjectName("theirs")
LEVELS = ("waiting", "processing")
ANY_TIME = timedelta(days=1)
Row = Mapping[str, Any]


@pytest.fixture
def history(database: Database) -> SqlStatisticsHistory:
    """Records a minute long after its end too, so that no test has to hurry."""
    return SqlStatisticsHistory(database, latest=ANY_TIME)


async def stored(database: Database) -> dict[tuple[str, str], Row]:
    """The figures of all minutes, by project and queue."""
    rows = await database.read(lambda connection: connection.execute(select(minute_figures)).mappings().all())
    found: dict[tuple[str, str], Row] = {(row["project"], row["queue"]): dict(row) for row in rows}
    assert len(found) == len(rows), "one minute only"
    return found


async def count(database: Database, table: Any) -> int:
    return await database.read(
        lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
    )


async def make(repository: SqlTaskRepository, outcome: TaskStatus, queue: TaskQueue = SIMULATIONS) -> TaskId:
    new = submission()
    if queue is CONVERSIONS:
        new = respecified(new, kind=TaskKind.CONVERT, target=Target.OPENQASM2)
    task_id = (await repository.add(new)).task_id
    if outcome is TaskStatus.CANCELLED:
        await repository.cancel(task_id, TESTER)
    if outcome in {TaskStatus.PENDING, TaskStatus.CANCELLED}:
        return task_id
    claim = await repository.claim(task_id, WORKER, LEASE, queue=queue)
    assert claim is not None
    if outcome is TaskStatus.COMPLETED:
        assert await repository.finish(claim.lease, RESULT)
    elif outcome is TaskStatus.FAILED:
        assert await repository.fail(claim.lease, FAILURE)
    return task_id


async def move(database: Database, task_id: TaskId, **times: datetime) -> None:
    await database.write(
        lambda connection: connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(**times))
    )


async def last_minute(history: SqlStatisticsHistory) -> Minute:
    return Minute(minute_of(await history.now()) - 1)


class Model:
    """The figures that tasks should have, by project and queue."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, float]] = {}

    def add(self, project: str, queue: str, **figures: float) -> None:
        for key in ((project, queue), (SERVICE, queue), (project, ALL_QUEUES), (SERVICE, ALL_QUEUES)):
            row = self.rows.setdefault(key, dict.fromkeys((*LEVELS, *COUNTS, *SECONDS, *LONGEST), 0))
            for name, figure in figures.items():
                row[name] += figure
                if name in SECONDS:
                    row[f"longest_{name}"] = max(row[f"longest_{name}"], figure)

    def check(self, found: Mapping[tuple[str, str], Row]) -> None:
        assert found.keys() == self.rows.keys()
        for key, row in self.rows.items():
            # SQLite's moments have milliseconds, and its differences of days some ten microseconds.
            assert {name: found[key][name] for name in row} == pytest.approx(row, abs=0.002), key


async def random_tasks(database: Database, minute: Minute, seed: int, number: int = 40) -> tuple[Model, list[TaskId]]:
    """Tasks of any status whose times are in the minute or next to it; the model has those that the minute counts."""
    chance, model, made = random.Random(seed), Model(), []
    start = start_of(minute)
    # Those that stay pending are made last: a claim would take them instead of the others.
    for outcome in sorted(chance.choices(list(TaskStatus), k=number), key=lambda one: one is TaskStatus.PENDING):
        project, queue = chance.choice([OURS, THEIRS]), chance.choice([SIMULATIONS, CONVERSIONS])
        task_id = await make(SqlTaskRepository(database, project=project), outcome, queue)
        made.append(task_id)
        waited, ran = chance.choice([0.0, 0.25, 17.5]), chance.choice([0.0, 0.5, 20.25])
        edge = chance.choice([-0.001, 0.0, 10.0, 59.999, 60.0])
        ended = start + timedelta(seconds=edge)
        claimed = ended - timedelta(seconds=ran)
        submitted = claimed - timedelta(seconds=waited)
        times = {"submitted_at": submitted}
        if outcome.terminal:
            times["completed_at"] = ended
        if outcome in {TaskStatus.COMPLETED, TaskStatus.FAILED}:
            times["claimed_at"] = claimed
        await move(database, task_id, **times)
        if start <= submitted < start + timedelta(minutes=1):
            model.add(project, queue.name, submitted=1)
        if outcome is TaskStatus.PENDING:
            model.add(project, queue.name, waiting=1)
        elif outcome is TaskStatus.PROCESSING:
            model.add(project, queue.name, processing=1)
        elif 0 <= edge < 60:
            seconds = {} if outcome is TaskStatus.CANCELLED else {"waiting_seconds": waited, "running_seconds": ran}
            model.add(project, queue.name, **{outcome.value: 1}, **seconds)
    return model, made


async def test_minute_has_the_tasks_of_each_project_and_queue(
    history: SqlStatisticsHistory, database: Database
) -> None:
    minute = await last_minute(history)
    model, _ = await random_tasks(database, minute, seed=1)
    assert await history.record(minute)
    model.check(await stored(database))


async def test_deleted_tasks_stay_in_the_minute(history: SqlStatisticsHistory, database: Database) -> None:
    minute = await last_minute(history)
    model, made = await random_tasks(database, minute, seed=2)
    for task_id in made:
        task = await _get(database, task_id)
        if task.status.terminal:
            await SqlTaskCatalogue(database, project=task.project).delete(task_id, TESTER)
    assert await history.record(minute)
    model.check(await stored(database))


async def _get(database: Database, task_id: TaskId) -> Any:
    def work(connection: Connection) -> Any:
        found = select(tasks.c.project, tasks.c.current_status.label("status")).where(tasks.c.task_id == task_id)
        return connection.execute(found).one()

    return await database.read(work)


async def test_tasks_that_are_deleted_while_the_minute_is_counted_count_once(
    history: SqlStatisticsHistory, database: Database
) -> None:
    minute = await last_minute(history)
    model, _ = await random_tasks(database, minute, seed=3, number=60)
    catalogue = SqlTaskCatalogue(database)

    async def delete() -> None:
        while await catalogue.delete_older(timedelta(), 7):
            pass

    recorded, *_ = await asyncio.gather(history.record(minute), delete(), delete())
    assert recorded
    model.check(await stored(database))


async def test_task_that_ended_long_ago_is_not_noted_when_it_is_deleted(
    history: SqlStatisticsHistory, database: Database
) -> None:
    task_id = await make(SqlTaskRepository(database), TaskStatus.COMPLETED)
    await move(database, task_id, completed_at=await history.now() - timedelta(minutes=6))
    await SqlTaskCatalogue(database).delete(task_id, TESTER)
    assert await count(database, minute_deletions) == 0


async def test_wait_of_a_scheduled_task_begins_at_its_time(history: SqlStatisticsHistory, database: Database) -> None:
    minute = await last_minute(history)
    start = start_of(minute)
    task_id = await make(SqlTaskRepository(database), TaskStatus.COMPLETED)
    times = {
        "submitted_at": start - timedelta(hours=5),
        "scheduled_for": start,
        "claimed_at": start + timedelta(seconds=3),
    }
    await move(database, task_id, **times, completed_at=start + timedelta(seconds=8))
    assert await history.record(minute)
    row = (await stored(database))[SERVICE, SIMULATIONS.name]
    assert (row["waiting_seconds"], row["running_seconds"]) == pytest.approx((3, 5), abs=0.002)


async def test_tasks_that_cannot_run_yet_do_not_wait(history: SqlStatisticsHistory, database: Database) -> None:
    repository = SqlTaskRepository(database)
    await repository.add(respecified(submission(), scheduled_for=await history.now() + timedelta(hours=1)))
    await repository.add(respecified(submission(), hold=True))
    await make(repository, TaskStatus.PENDING)
    assert await history.record(await last_minute(history))
    assert (await stored(database))[SERVICE, SIMULATIONS.name]["waiting"] == 1


async def test_several_recorders_record_a_minute_once(history: SqlStatisticsHistory, database: Database) -> None:
    minute = await last_minute(history)
    model, _ = await random_tasks(database, minute, seed=4, number=10)
    assert sorted(await asyncio.gather(*(history.record(minute) for _ in range(8)))) == [False] * 7 + [True]
    assert not await history.record(minute)
    model.check(await stored(database))
    assert await count(database, minutes) == 1


async def test_only_the_last_full_minute_is_recorded(database: Database) -> None:
    history = SqlStatisticsHistory(database)
    now = minute_of(await history.now())
    assert not await history.record(Minute(now + 2)), "it has not ended"
    assert not await history.record(Minute(now - 2)), "the tasks that waited then are not known"
    assert await count(database, minutes) == 0


async def test_idle_minute_has_a_row_and_the_live_workers(history: SqlStatisticsHistory, database: Database) -> None:
    registry = SqlWorkerRegistry(database)
    for number in (1, 2):
        identity = WorkerIdentity(worker_id=WorkerId(f"w{number}"), slots=number, version="1")
        await registry.beat(identity, None, timedelta(minutes=1))
    await registry.beat(WorkerIdentity(worker_id=WorkerId("dead"), slots=5, version="1"), None, timedelta(seconds=-1))
    minute = await last_minute(history)
    assert await history.record(minute)
    [point] = (await history.read(HistoryQuery(project=None, first=minute, end=Minute(minute + 1)))).points
    assert point == HistoryPoint(first=minute, minutes=1, workers=2, slots=3)


FIRST = 29_000_000


async def random_minutes(database: Database, seed: int, number: int = 90) -> list[tuple[Minute, Row, Sequence[Row]]]:
    """Minutes of which about a third was not recorded."""
    chance = random.Random(seed)
    made: list[tuple[Minute, Row, Sequence[Row]]] = []
    for minute in range(FIRST, FIRST + number):
        if chance.random() < 0.3:
            continue
        live = {"workers": chance.randrange(3), "slots": chance.randrange(1, 9)}
        keys = [(project, queue) for project in (OURS, THEIRS) for queue in ("convert", "simulate")]
        figures = [
            {
                "project": project,
                "queue": queue,
                **{name: chance.randrange(100) for name in (*LEVELS, *COUNTS)},
                **{name: chance.randrange(1000) / 8 for name in (*SECONDS, *LONGEST)},
            }
            for project, queue in keys
            if chance.random() < 0.6
        ]
        made.append((Minute(minute), live, figures))

    def work(connection: Connection) -> None:
        for minute, live, figures in made:
            assert store_minute(connection, minute, live, figures)

    await database.write(work)
    return made


def expected(made: Sequence[tuple[Minute, Row, Sequence[Row]]], query: HistoryQuery) -> Iterator[HistoryPoint]:
    periods: dict[int, list[tuple[Row, list[Row]]]] = {}
    for minute, live, figures in made:
        if query.first <= minute < query.end:
            chosen = [row for row in figures if query.project in (None, row["project"])]
            chosen = [row for row in chosen if query.queue in (None, row["queue"])]
            periods.setdefault(minute // query.step, []).append((live, chosen))
    for period, recorded in periods.items():
        rows = [row for _, chosen in recorded for row in chosen]
        levels = {name: [sum(row[name] for row in chosen) for _, chosen in recorded] for name in LEVELS}
        ran = sum(row["completed"] + row["failed"] for row in rows)
        times: dict[str, Any] = {name: sum(row[name] for row in rows) / ran if ran else None for name in SECONDS}
        times |= {name: max(row[name] for row in rows) if ran else None for name in LONGEST}
        yield HistoryPoint(
            first=Minute(period * query.step),
            minutes=len(recorded),
            workers=min(live["workers"] for live, _ in recorded),
            slots=min(live["slots"] for live, _ in recorded),
            waiting=sum(levels["waiting"]) / len(recorded),
            most_waiting=max(levels["waiting"]),
            processing=sum(levels["processing"]) / len(recorded),
            most_processing=max(levels["processing"]),
            **{name: sum(row[name] for row in rows) for name in COUNTS},
            **times,
        )


@pytest.mark.parametrize("step", [1, 7, 60])
@pytest.mark.parametrize("project", [None, OURS])
@pytest.mark.parametrize("queue", [None, "convert"])
async def test_periods_sum_up_the_recorded_minutes(
    history: SqlStatisticsHistory, database: Database, step: int, project: ProjectName | None, queue: str | None
) -> None:
    made = await random_minutes(database, seed=5)
    query = HistoryQuery(project=project, first=Minute(FIRST + 3), end=Minute(FIRST + 80), step=step, queue=queue)
    found = await history.read(query)
    assert list(found.points) == list(expected(made, query))
    assert found.queues == ["convert", "simulate"]


async def test_time_that_nobody_recorded_has_no_points(history: SqlStatisticsHistory, database: Database) -> None:
    await database.write(lambda connection: store_minute(connection, Minute(FIRST), {"workers": 0, "slots": 0}, []))
    found = await history.read(HistoryQuery(project=None, first=Minute(FIRST - 100), end=Minute(FIRST + 100), step=10))
    assert [(point.first, point.minutes) for point in found.points] == [(FIRST, 1)]
    assert found.queues == []


async def test_old_minutes_are_deleted_in_batches(history: SqlStatisticsHistory, database: Database) -> None:
    made = await random_minutes(database, seed=6, number=20)
    kept = await last_minute(history)
    await make(SqlTaskRepository(database), TaskStatus.PENDING)
    assert await history.record(kept)
    deleted = [await history.delete_older(timedelta(days=30), 8) for _ in range(4)]
    assert sum(deleted) == len(made)
    assert deleted[0] == 8
    assert await count(database, minutes) == 1
    assert (await stored(database)).keys() == {
        (project, queue) for project in ("default", SERVICE) for queue in ("simulate", ALL_QUEUES)
    }


async def test_notes_of_deleted_tasks_are_deleted_after_some_minutes(
    history: SqlStatisticsHistory, database: Database
) -> None:
    catalogue, repository = SqlTaskCatalogue(database), SqlTaskRepository(database)
    await catalogue.delete(await make(repository, TaskStatus.FAILED), TESTER)
    await history.delete_older(timedelta(days=30), 1)
    assert await count(database, minute_deletions) == 1
    old = minute_of(await history.now()) - 60

    def age(connection: Connection) -> None:
        connection.execute(update(minute_deletions).values(minute=old))

    await database.write(age)
    await history.delete_older(timedelta(days=30), 1)
    assert await count(database, minute_deletions) == 0
