"""What the guards of processes, loops and the composition root prevent; see docs/guards.md."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update

from ketline.config import Settings, load_settings
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database, open_database
from ketline.db.schema.migrate import migrate
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import ConfigurationInvalid
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.messaging.memory import MemoryQueue
from ketline.runtime.clock import SystemClock
from ketline.runtime.embedded import open_embedded
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.upkeep.dispatcher import Dispatcher
from tests.actors import TESTER
from tests.runners import ScriptedRunner, deferrals_of

LONG_LEASE = timedelta(minutes=10)
# No test waits as long; one that would is red.
WAIT_SECONDS = 30.0


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    async with open_database(sqlite_url) as database:
        yield database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, reap_interval_s=0.05)


async def submit(repository: SqlTaskRepository) -> TaskId:
    task_id = TaskId(uuid4())
    await repository.add(
        Submission(
            task_id=task_id, spec=TaskSpec(circuit="p", shots=10, max_attempts=3), correlation_id=CorrelationId("c")
        )
    )
    return task_id


async def test_next_start_frees_what_the_last_process_held(settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ketline.db'}"
    await migrate(url)
    async with open_database(url) as database:
        repository = SqlTaskRepository(database)
        held, sent = await submit(repository), await submit(repository)
        assert await repository.claim(held, WorkerId("gone"), LONG_LEASE) is not None
        assert len(await repository.take_due(10)) == 1
    async with open_embedded(settings, tmp_path) as (_, worker), worker.consumer.open_slot() as slot:
        async with asyncio.timeout(WAIT_SECONDS):
            freed = set()
            for _ in range(2):
                delivery = await slot.receive()
                freed.add(delivery.task_id)
                await delivery.acknowledge()
    assert freed == {held, sent}


async def test_data_directory_has_one_owner_at_a_time(settings: Settings, tmp_path: Path) -> None:
    async with open_embedded(settings, tmp_path):
        with pytest.raises(ConfigurationInvalid, match="Another Ketline process"):
            async with open_embedded(settings, tmp_path):
                pass


async def test_service_that_is_to_use_a_gpu_does_not_start_without_one(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, engines="aer,aer_gpu")
    with pytest.raises(ConfigurationInvalid, match="leave aer_gpu out"):
        async with open_embedded(settings, tmp_path):
            pass


async def test_dispatcher_looks_for_lost_messages_by_itself(database: Database) -> None:
    repository, queue = SqlTaskRepository(database), MemoryQueue()
    task_id = await submit(repository)
    assert len(await repository.take_due(10)) == 1, "taken, and lost with the dispatcher"

    def overdue(connection: Connection) -> None:
        connection.execute(update(tasks).values(dispatch_due_at=from_now(-1)))

    await database.write(overdue)
    dispatching = asyncio.create_task(Dispatcher(repository, queue, SystemClock(), 0.05).run())
    try:
        async with queue.open_slot() as slot, asyncio.timeout(WAIT_SECONDS):
            assert (await slot.receive()).task_id == task_id
    finally:
        dispatching.cancel()
        await asyncio.wait([dispatching])


async def test_cancelled_task_is_killed_long_before_its_lease_ends(database: Database) -> None:
    repository, runner = SqlTaskRepository(database), ScriptedRunner(held=True)
    task_id = await submit(repository)
    process = ProcessTask(repository, SystemClock(), WorkerId("w"), LONG_LEASE, deferrals_of(repository))
    running = asyncio.create_task(process(task_id, runner))
    try:
        await runner.started.wait()
        await repository.cancel(task_id, TESTER)
        await asyncio.wait([running], timeout=WAIT_SECONDS)
        assert running.done()
        assert runner.cancelled.is_set()
        assert (await repository.get(task_id)).status is TaskStatus.CANCELLED
    finally:
        running.cancel()
        await asyncio.wait([running])
