"""Tasks that benchmarks store by themselves are like those that were submitted."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.listing_rows import fill, fill_finished
from benchmarks.programs import BELL, SHOTS
from benchmarks.records import open_records
from benchmarks.work import store_waiting
from ketline.db.engine.database import open_database
from ketline.db.schema.tables import status_history, task_labels, tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.ids import WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import RunOptions

ENDED = {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}


async def select_all(url: str, statement: Select[Any]) -> Sequence[Any]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found: Sequence[Any] = (await connection.execute(statement)).all()
    await engine.dispose()
    return found


async def test_finished_tasks_have_all_ended_and_a_whole_history(database_url: str) -> None:
    await fill_finished(database_url, 400)
    stored = await select_all(database_url, select(tasks.c.current_status, tasks.c.completed_at))
    assert len(stored) == 400
    assert {row.current_status for row in stored} == ENDED
    assert None not in {row.completed_at for row in stored}
    lines = Counter(row.status for row in await select_all(database_url, select(status_history.c.status)))
    assert lines[TaskStatus.PENDING] == lines[TaskStatus.PROCESSING] == sum(lines[status] for status in ENDED) == 400


async def test_tasks_of_lists_are_of_every_status_and_have_labels(database_url: str) -> None:
    await fill(database_url, 400)
    stored = await select_all(database_url, select(tasks.c.current_status))
    assert {row.current_status for row in stored} == set(TaskStatus)
    assert await select_all(database_url, select(task_labels.c.value).limit(1))


async def test_waiting_tasks_can_be_dispatched_and_claimed(postgres_url: str) -> None:
    await store_waiting(postgres_url, 3)
    async with open_records(postgres_url) as records, open_database(postgres_url) as database:
        repository = SqlTaskRepository(database)
        assert await records.undispatched() == 3
        taken = await repository.take_due(10)
        assert len(taken) == 3
        assert await records.undispatched() == 0
        claim = await repository.claim(taken[0].task_id, WorkerId("w"), timedelta(seconds=9))
    assert claim is not None
    assert (claim.spec.circuit, claim.spec.shots, claim.spec.options) == (BELL, SHOTS, RunOptions())


async def test_completions_are_told_in_their_order_and_since_a_time(postgres_url: str) -> None:
    await fill_finished(postgres_url, 100)
    async with open_records(postgres_url) as records:
        times = await records.completions(datetime(2000, 1, 1, tzinfo=UTC))
        assert times == sorted(times)
        assert await records.completions(times[10]) == times[10:]
        assert await records.clock() > times[0]
        assert await records.workers(times[0]) == 21
        assert await records.workers(times[-1]) == 1
