"""Large models of noise stay stored as long as a task has them, on PostgreSQL and SQLite."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, func, select, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.noise_contents import SqlNoiseContents
from ketline.db.schema.tables import noise_contents
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.devices.stored_noise import StoredNoise, large_noise
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.submission import Submission
from tests.large_noise import large_model

AGE = timedelta(hours=1)
LEASE = timedelta(seconds=30)
LARGE = large_model()
MODEL = large_noise(LARGE) or StoredNoise("")


@pytest.fixture
def contents(database: Database) -> SqlNoiseContents:
    return SqlNoiseContents(database)


async def submit(database: Database, noise: StoredNoise | None = MODEL) -> TaskId:
    task_id = TaskId(uuid4())
    spec = TaskSpec(circuit="qubit q;", shots=10, max_attempts=3, options=RunOptions(noise=noise))
    await SqlTaskRepository(database).add(Submission(task_id=task_id, spec=spec, correlation_id=CorrelationId("c")))
    return task_id


async def grow_old(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(noise_contents).values(used_at=from_now(-2 * AGE.total_seconds())))

    await database.write(work)


async def test_tasks_have_a_reference_to_one_model(database: Database, contents: SqlNoiseContents) -> None:
    """Claims and polls read the reference, and a rerun or a form the model itself."""
    for _ in range(3):
        await contents.keep(MODEL.digest, MODEL.text)
        task_id = await submit(database)
    counting = select(func.count(), func.max(func.length(noise_contents.c.content)))
    rows = await database.read(lambda connection: connection.execute(counting).one())
    assert tuple(rows) == (1, len(MODEL.text))
    repository = SqlTaskRepository(database)
    assert (await repository.get(task_id)).options.noise == StoredNoise(MODEL.digest)
    assert (await SqlTaskCatalogue(database).spec(task_id)).options.noise == LARGE
    claim = await repository.claim(task_id, WorkerId("w"), LEASE)
    assert claim is not None
    assert claim.spec.options.noise == StoredNoise(MODEL.digest)
    found = await contents.get(MODEL.digest)
    assert found is not None
    assert json.loads(found) == LARGE


async def test_model_of_a_task_stays(database: Database, contents: SqlNoiseContents) -> None:
    await contents.keep(MODEL.digest, MODEL.text)
    await submit(database)
    await submit(database, None)
    await grow_old(database)
    assert await contents.delete_unused(AGE, 100) == 0
    assert await contents.get(MODEL.digest) == MODEL.text


async def test_model_that_is_stored_is_written_like_a_new_one(contents: SqlNoiseContents) -> None:
    """So the duration of a submission does not tell whether another project has the same noise."""
    await contents.keep("a", "text")
    await contents.keep("a", "another text, which shows that it was written")
    assert await contents.get("a") == "another text, which shows that it was written"


async def test_model_without_a_task_is_deleted_after_its_age(database: Database, contents: SqlNoiseContents) -> None:
    for digest in ("a", "b", "c"):
        await contents.keep(digest, "text")
    assert await contents.delete_unused(AGE, 100) == 0
    await grow_old(database)
    await contents.keep("b", "text")
    assert await contents.delete_unused(AGE, 1) == 1
    assert await contents.delete_unused(AGE, 100) == 1
    assert await contents.get("b") == "text"
