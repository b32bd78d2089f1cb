"""Labels and schedules of tasks, on PostgreSQL and SQLite."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select

from ketline.db.engine.database import Database
from ketline.db.schema.tables import task_labels
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.ids import TaskId
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.submission import IdempotencyKey
from tests.actors import TESTER
from tests.contract.test_repository import LEASE, WORKER, move_back, seconds_until_due, submission
from tests.specs import respecified

LABELS = Labels(name="é *", tags=("vqe", "run 7"), metadata={"a": [1, {"b": None}], "π": 0.5})


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, redispatch=timedelta(seconds=60))


async def found_by(database: Database, task_id: TaskId) -> set[tuple[str, str]]:
    """Kind and value of all that the task is found by, each at the time the task was submitted."""

    def work(connection: Connection) -> set[tuple[str, str]]:
        rows = connection.execute(select(task_labels).where(task_labels.c.task_id == task_id))
        return {(row.kind, row.value) for row in rows}

    return await database.read(work)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("keyed", [False, True])
async def test_labels_are_kept_with_the_task(repository: SqlTaskRepository, database: Database, keyed: bool) -> None:
    key = IdempotencyKey(key="k", fingerprint="f") if keyed else None
    original = TaskId(uuid4())
    new = respecified(submission(key=key), labels=LABELS, rerun_of=original, task_type="simulate")
    await repository.add(new)
    await repository.add(new)
    task = await repository.get(new.task_id)
    assert (task.labels, task.rerun_of, task.scheduled_for) == (LABELS, original, None)
    assert task.task_type == "simulate"
    assert await found_by(database, new.task_id) == {("name", "é *"), ("tag", "vqe"), ("tag", "run 7")}


async def test_labels_of_tasks_that_are_stored_together_stay_apart(
    repository: SqlTaskRepository, database: Database
) -> None:
    labels = [
        Labels(tags=("a", "b")),
        Labels(),
        Labels(name="n", metadata={"a": 1}),
        Labels(tags=("b",)),
    ]
    new = [respecified(submission(), labels=one) for one in labels * 3]
    await asyncio.gather(*(repository.add(one) for one in new))
    for one in new:
        assert (await repository.get(one.task_id)).labels == one.spec.labels
        expected = {("tag", tag) for tag in one.spec.labels.tags} | ({("name", "n")} if one.spec.labels.name else set())
        assert await found_by(database, one.task_id) == expected


async def test_task_stored_under_an_expired_key_has_its_labels(
    repository: SqlTaskRepository, database: Database
) -> None:
    short = SqlTaskRepository(database, key_lifetime=timedelta(seconds=-1))
    for tag in ("one", "other"):
        new = respecified(submission(key=IdempotencyKey(key="k", fingerprint=tag)), labels=Labels(tags=(tag,)))
        await short.add(new)
        assert await found_by(database, new.task_id) == {("tag", tag)}


@pytest.mark.parametrize("taken", [False, True])
async def test_scheduled_task_waits_for_its_time(
    repository: SqlTaskRepository, database: Database, taken: bool
) -> None:
    new = respecified(submission(), scheduled_for=in_an_hour())
    await repository.add(new, taken=taken)
    assert (await repository.get(new.task_id)).scheduled_for == new.spec.scheduled_for
    assert await repository.count_pending(10) == 1
    assert (await repository.take_due(10), await repository.count_dispatched()) == ([], {})
    assert await repository.take_overdue(10, by=timedelta()) == []
    assert await repository.claim(new.task_id, WORKER, LEASE) is None
    assert 3500 < await seconds_until_due(database, new.task_id) <= 3600
    await move_back(database, new.task_id, "submitted_at", 3600)
    for column in ("scheduled_for", "available_at", "dispatch_due_at"):
        await move_back(database, new.task_id, column, 5)
    [dispatch] = await repository.take_due(10)
    claim = await repository.claim(dispatch.task_id, WORKER, LEASE)
    assert claim is not None
    assert 5 <= claim.queued_seconds < 60


async def test_task_scheduled_for_a_time_that_is_past_runs_at_once(repository: SqlTaskRepository) -> None:
    new = respecified(submission(), scheduled_for=datetime(2020, 1, 2, tzinfo=UTC))
    await repository.add(new)
    [dispatch] = await repository.take_due(10)
    claim = await repository.claim(dispatch.task_id, WORKER, LEASE)
    assert claim is not None
    assert claim.queued_seconds < 60


async def test_scheduled_task_waits_on_when_the_embedded_service_starts_afresh(repository: SqlTaskRepository) -> None:
    new = respecified(submission(), scheduled_for=in_an_hour())
    await repository.add(new)
    await repository.start_afresh()
    assert await repository.take_due(10) == []


async def test_scheduled_task_may_be_cancelled(repository: SqlTaskRepository) -> None:
    new = respecified(submission(), scheduled_for=in_an_hour())
    await repository.add(new)
    await repository.cancel(new.task_id, TESTER)
    assert await repository.count_pending(10) == 0
