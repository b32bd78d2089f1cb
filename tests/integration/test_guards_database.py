"""What the database's guards prevent, each race set up so that it happens every time; see docs/guards.md."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import uuid4

import pytest
from sqlalchemy import Connection, CursorResult, Executable, select, text, update
from sqlalchemy.util import await_only

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database, open_database
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.db.tasks.statements import lock_task
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.claim import Claim
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from tests.actors import TESTER
from tests.runners import RESULT

T = TypeVar("T")

LEASE = timedelta(seconds=60)
# As long as the other side is given to get through where a guard should hold it up.
HELD_UP_SECONDS = 0.3


class Pausing(Database):
    """Calls `pause` in each transaction once its first statement has been answered."""

    def __init__(self, database: Database, pause: Callable[[], Awaitable[None]]) -> None:
        super().__init__(database._transactions, database.dialect)
        self.pause = pause

    async def write(self, work: Callable[[Connection], T]) -> T:
        def paused(connection: Connection) -> T:
            return work(cast("Connection", _PausingConnection(connection, self.pause)))

        return await super().write(paused)


class _PausingConnection:
    def __init__(self, connection: Connection, pause: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._pause: Callable[[], Awaitable[None]] | None = pause

    def execute(self, statement: Executable, parameters: Mapping[str, object] | None = None) -> CursorResult[Any]:
        response = self._connection.execute(statement, parameters)
        pause, self._pause = self._pause, None
        if pause is not None:
            await_only(pause())
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
async def postgresql(postgres_url: str) -> AsyncIterator[Database]:
    async with open_database(postgres_url) as database:
        yield database


def new_task() -> Submission:
    spec = TaskSpec(circuit="p", shots=10, max_attempts=3)
    return Submission(task_id=TaskId(uuid4()), spec=spec, correlation_id=CorrelationId("c"))


async def claimed(repository: SqlTaskRepository) -> Claim:
    new = new_task()
    await repository.add(new)
    claim = await repository.claim(new.task_id, WorkerId("w"), LEASE)
    assert claim is not None
    return claim


async def test_finish_between_the_two_halves_of_a_cancel_waits(postgresql: Database) -> None:
    repository = SqlTaskRepository(postgresql)
    claim = await claimed(repository)
    finishing: list[asyncio.Task[bool]] = []

    async def finish() -> None:
        finishing.append(asyncio.create_task(repository.finish(claim.lease, RESULT)))
        await asyncio.wait(finishing, timeout=HELD_UP_SECONDS)

    await SqlTaskRepository(Pausing(postgresql, finish)).cancel(claim.lease.task_id, TESTER)
    assert not await finishing[0], "the cancel had looked first"
    task = await repository.get(claim.lease.task_id)
    assert (task.status, task.counts) == (TaskStatus.CANCELLED, None)
    assert [line.status for line in task.history] == ["pending", "processing", "cancelled"]


async def test_outcome_of_another_lease_is_not_taken_for_ones_own(database: Database) -> None:
    repository = SqlTaskRepository(database, retry_policy=RetryPolicy(delay=timedelta()))
    stale = await claimed(repository)

    def expire(connection: Connection) -> None:
        connection.execute(update(tasks).values(lease_expires_at=from_now(-1), attempt=0))

    await database.write(expire)
    await repository.reap(1)
    again = await repository.claim(stale.lease.task_id, WorkerId("w"), LEASE)
    assert again is not None
    assert again.lease.attempt == stale.lease.attempt, "only the token tells the two apart"
    assert await repository.finish(again.lease, RESULT)
    assert not await repository.finish(stale.lease, RESULT)


async def test_cancelled_write_is_decided_when_it_returns(postgresql: Database) -> None:
    repository = SqlTaskRepository(postgresql)
    claim = await claimed(repository)
    begun, proceed = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        begun.set()
        await proceed.wait()

    releasing = asyncio.create_task(SqlTaskRepository(Pausing(postgresql, hold)).release(claim.lease))
    await begun.wait()
    releasing.cancel()
    await asyncio.sleep(0)
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await releasing
    assert (await repository.get(claim.lease.task_id)).status is TaskStatus.PENDING


async def test_sqlite_writers_of_two_processes_take_turns(sqlite_url: str) -> None:
    looked, done = threading.Event(), threading.Event()
    async with open_database(sqlite_url) as ours, open_database(sqlite_url) as theirs:
        claim = await claimed(SqlTaskRepository(ours))

        def slow(connection: Connection) -> None:
            connection.execute(lock_task(claim.lease.task_id, DEFAULT_PROJECT))
            looked.set()
            done.wait(HELD_UP_SECONDS)  # holds up this database's own thread, not the event loop
            connection.execute(update(tasks).values(shots=11))

        writing = asyncio.create_task(ours.write(slow))
        assert await asyncio.to_thread(looked.wait, 10)
        assert await SqlTaskRepository(theirs).finish(claim.lease, RESULT)
        done.set()
        await writing
        assert (await SqlTaskRepository(ours).get(claim.lease.task_id)).shots == 11


async def test_sqlite_commits_reach_the_disk(sqlite_url: str) -> None:
    def ask(connection: Connection) -> tuple[int, str]:
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar_one()
        return synchronous, connection.execute(text("PRAGMA journal_mode")).scalar_one()

    async with open_database(sqlite_url) as database:
        assert await database.write(ask) == (2, "wal"), "2 is FULL"


async def test_message_finds_another_project_while_the_task_in_turn_is_being_claimed(postgresql: Database) -> None:
    """Otherwise the message would be used up, and a task would be left without one."""
    ours, theirs = (
        SqlTaskRepository(postgresql, project=name) for name in (ProjectName("ours"), ProjectName("theirs"))
    )
    first, second = [await repository.add(new_task(), taken=True) for repository in (ours, theirs)]
    found: list[Claim | None] = []

    async def claim_meanwhile() -> None:
        found.append(await ours.claim(TaskId(uuid4()), WorkerId("w"), LEASE))

    def lock(connection: Connection) -> object:
        return connection.execute(select(tasks.c.task_id).where(tasks.c.task_id == first.task_id).with_for_update())

    await Pausing(postgresql, claim_meanwhile).write(lock)
    assert found[0] is not None
    assert found[0].lease.task_id == second.task_id
