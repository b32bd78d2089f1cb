"""What devices were stays stored as long as a task or a device has it, on PostgreSQL and SQLite."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update

from ketline.db.device_contents import SqlDeviceContents
from ketline.db.devices import SqlDeviceStore
from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.tables import device_contents
from ketline.db.tasks.programs import SqlProgramLibrary
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.submission import Submission
from tests.actors import TESTER
from tests.devices import device_of

AGE = timedelta(hours=1)
LEASE = timedelta(seconds=30)
DEVICE = device_of()
RUN = DeviceRun(
    name=DEVICE.name, optimization_level=3, seed=7, initial_layout=(2, 0, 1), noise=False, digest=DEVICE.digest
)


@pytest.fixture
def contents(database: Database) -> SqlDeviceContents:
    return SqlDeviceContents(database)


async def submit(database: Database, device: DeviceRun | None = RUN) -> TaskId:
    task_id = TaskId(uuid4())
    spec = TaskSpec(circuit="qubit q;", shots=10, max_attempts=3, options=RunOptions(device=device))
    await SqlTaskRepository(database).add(Submission(task_id=task_id, spec=spec, correlation_id=CorrelationId("c")))
    return task_id


async def grow_old(database: Database, age: timedelta = 2 * AGE) -> None:
    """Have all contents be kept so long ago."""

    def work(connection: Connection) -> None:
        connection.execute(update(device_contents).values(used_at=from_now(-age.total_seconds())))

    await database.write(work)


async def test_content_is_kept_once_and_read_by_its_digest(contents: SqlDeviceContents) -> None:
    assert await contents.get("a" * 64) is None
    for _ in range(2):
        await contents.keep(DEVICE.digest, DEVICE.text)
    assert await contents.get(DEVICE.digest) == DEVICE.text


async def test_device_of_a_task_goes_the_whole_way(database: Database) -> None:
    task_id = await submit(database)
    repository = SqlTaskRepository(database)
    task = await repository.get(task_id)
    assert task.options.device == RUN
    assert (await SqlTaskCatalogue(database).spec(task_id)).options.device == RUN
    assert (await SqlProgramLibrary(database).get(task_id)).device == RUN
    claim = await repository.claim(task_id, WorkerId("w"), LEASE)
    assert claim is not None
    assert claim.spec.options.device == RUN


async def test_content_of_a_task_stays(database: Database, contents: SqlDeviceContents) -> None:
    await contents.keep(DEVICE.digest, DEVICE.text)
    await submit(database)
    await submit(database, None)
    await grow_old(database)
    assert await contents.delete_unused(AGE, 100) == 0
    assert await contents.get(DEVICE.digest) == DEVICE.text


async def test_content_of_a_device_stays(database: Database, contents: SqlDeviceContents) -> None:
    await SqlDeviceStore(database).put(DEVICE, TESTER)
    await grow_old(database)
    assert await contents.delete_unused(AGE, 100) == 0
    await SqlDeviceStore(database).remove(DEVICE.name, TESTER)
    await grow_old(database)
    assert await contents.delete_unused(AGE, 100) == 1


async def test_content_without_a_task_is_deleted_after_its_age(database: Database, contents: SqlDeviceContents) -> None:
    for name in ("a", "b", "c"):
        device = device_of(name=name)
        await contents.keep(device.digest, device.text)
    assert await contents.delete_unused(AGE, 100) == 0
    await grow_old(database)
    await contents.keep(device_of(name="b").digest, device_of(name="b").text)
    assert await contents.delete_unused(AGE, 1) == 1
    assert await contents.delete_unused(AGE, 100) == 1
    assert await contents.get(device_of(name="b").digest) is not None
