"""The dispatcher: lost messages and an outage of the queue only delay a task."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, update

from ketline.db.engine.clock import from_now
from ketline.db.engine.database import Database
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Dispatch
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.runtime.clock import SystemClock
from ketline.service.upkeep.dispatcher import Dispatcher

NEVER = 3600.0


class RecordingPublisher:
    """Records what was published; fails every call while `down`."""

    def __init__(self) -> None:
        self.published: list[TaskId] = []
        self.down = False
        self.waiting = 0
        self.attempted = asyncio.Event()
        self.accepted = asyncio.Event()

    async def publish(self, dispatch: Dispatch) -> None:
        self.attempted.set()
        if self.down:
            raise PublishFailed("The broker did not confirm the message.")
        self.published.append(dispatch.task_id)
        self.accepted.set()

    async def depth(self, queue: TaskQueue = SIMULATIONS) -> int:
        await self.ping()
        return self.waiting

    async def ping(self) -> None:
        if self.down:
            raise QueueUnavailable("The broker cannot be reached.")


@pytest.fixture
def repository(database: Database) -> SqlTaskRepository:
    return SqlTaskRepository(database, retry_policy=RetryPolicy(delay=timedelta()))


async def submit(repository: SqlTaskRepository, *, taken: bool = False) -> TaskId:
    task_id = TaskId(uuid4())
    submission = Submission(
        task_id=task_id, spec=TaskSpec(circuit="p", shots=1, max_attempts=3), correlation_id=CorrelationId("c")
    )
    await repository.add(submission, taken=taken)
    return task_id


def dispatch_of(task_id: TaskId) -> Dispatch:
    return Dispatch(task_id=task_id, correlation_id=CorrelationId("c"))


@asynccontextmanager
async def running(loop: Dispatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nudge_dispatches_at_once(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    dispatcher = Dispatcher(repository, publisher, SystemClock(), NEVER)
    async with running(dispatcher):
        task_id = await submit(repository)
        dispatcher.nudge()
        await publisher.accepted.wait()
    assert publisher.published == [task_id]


async def test_task_stored_as_taken_is_published_once_it_is_put(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    dispatcher = Dispatcher(repository, publisher, SystemClock(), 0.05)
    async with running(dispatcher):
        task_id = await submit(repository, taken=True)
        dispatcher.put(dispatch_of(task_id))
        await publisher.accepted.wait()
        publisher.accepted.clear()
        other = await submit(repository)
        await publisher.accepted.wait()
    assert publisher.published == [task_id, other]


async def test_rejected_task_that_was_put_is_due_again(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    publisher.down = True
    dispatcher = Dispatcher(repository, publisher, SystemClock(), 0.05)
    task_id = await submit(repository, taken=True)
    async with running(dispatcher):
        dispatcher.put(dispatch_of(task_id))
        await publisher.attempted.wait()
        publisher.down = False
        await publisher.accepted.wait()
    assert publisher.published == [task_id]


async def test_tasks_that_were_put_are_due_at_once_when_their_process_stops(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    publisher.down = True
    dispatcher = Dispatcher(repository, publisher, SystemClock(), 0.05)
    await submit(repository)
    with pytest.raises(QueueUnavailable):
        await dispatcher.dispatch()
    assert not dispatcher.has_room(), "what cannot be published is left to be taken"
    task_id = await submit(repository, taken=True)
    async with running(dispatcher):
        dispatcher.put(dispatch_of(task_id))
        await asyncio.sleep(0)
    assert [dispatch.task_id for dispatch in await repository.take_due(10)] == [task_id]


async def test_outbox_holds_no_more_than_a_batch(repository: SqlTaskRepository) -> None:
    dispatcher = Dispatcher(repository, RecordingPublisher(), SystemClock(), NEVER, batch=2)
    for _ in range(2):
        assert dispatcher.has_room()
        dispatcher.put(dispatch_of(TaskId(uuid4())))
    assert not dispatcher.has_room()


class BusyPublisher(RecordingPublisher):
    """Is handed another task with each that it publishes, until one that it waits for."""

    def __init__(self, last: TaskId) -> None:
        super().__init__()
        self.last = last
        self.dispatcher: Dispatcher | None = None

    async def publish(self, dispatch: Dispatch) -> None:
        await asyncio.sleep(0)
        self.published.append(dispatch.task_id)
        if dispatch.task_id == self.last:
            self.accepted.set()
        elif self.dispatcher is not None:
            self.dispatcher.put(dispatch_of(TaskId(uuid4())))


async def test_steady_submissions_do_not_keep_due_tasks_waiting(repository: SqlTaskRepository) -> None:
    publisher = BusyPublisher(await submit(repository))
    dispatcher = Dispatcher(repository, publisher, SystemClock(), 0.05)
    publisher.dispatcher = dispatcher
    dispatcher.put(dispatch_of(TaskId(uuid4())))
    async with running(dispatcher), asyncio.timeout(60):
        await publisher.accepted.wait()


async def test_lost_nudge_is_made_up_for_by_the_poll(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    async with running(Dispatcher(repository, publisher, SystemClock(), 0.05)):
        task_id = await submit(repository)
        await publisher.accepted.wait()
    assert publisher.published == [task_id]


async def test_backlog_goes_out_in_batches_without_waiting(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    expected = {await submit(repository) for _ in range(7)}
    dispatcher = Dispatcher(repository, publisher, SystemClock(), NEVER, batch=3)
    assert [await dispatcher.dispatch() for _ in range(3)] == [3, 3, 1]
    assert set(publisher.published) == expected
    assert len(publisher.published) == 7


async def test_rejected_publish_is_tried_again_when_the_queue_is_back(database: Database) -> None:
    """Not only once its message counts as lost."""
    repository = SqlTaskRepository(database, redispatch=timedelta(hours=1))
    publisher = RecordingPublisher()
    publisher.down = True
    task_id = await submit(repository)
    async with running(Dispatcher(repository, publisher, SystemClock(), 0.05)):
        await publisher.attempted.wait()
        publisher.down = False
        await publisher.accepted.wait()
    assert publisher.published == [task_id]


async def test_due_tasks_are_not_taken_while_the_queue_is_down(repository: SqlTaskRepository) -> None:
    publisher = RecordingPublisher()
    publisher.down = True
    dispatcher = Dispatcher(repository, publisher, SystemClock(), NEVER)
    await submit(repository)
    with pytest.raises(QueueUnavailable):
        await dispatcher.dispatch()
    later = await submit(repository)
    with pytest.raises(QueueUnavailable):
        await dispatcher.dispatch()
    assert [dispatch.task_id for dispatch in await repository.take_due(10)] == [later], "taken by nobody meanwhile"


async def test_lost_messages_are_published_again_once_overdue(
    repository: SqlTaskRepository, database: Database
) -> None:
    publisher = RecordingPublisher()
    dispatcher = Dispatcher(repository, publisher, SystemClock(), NEVER)
    ids = [await submit(repository) for _ in range(5)]
    assert await dispatcher.dispatch() == 5
    assert await dispatcher.redispatch() == 0, "nothing is overdue"
    await overdue(database)
    publisher.published.clear()
    publisher.waiting = 2
    assert await dispatcher.redispatch() == 3, "two wait on the queue"
    publisher.waiting = 5
    assert await dispatcher.redispatch() == 0, "no more were dispatched than the queue holds"
    publisher.waiting = 0
    assert await dispatcher.redispatch() == 2
    assert sorted(publisher.published) == sorted(ids)


async def test_healthy_backlog_is_not_published_again(repository: SqlTaskRepository, database: Database) -> None:
    publisher = RecordingPublisher()
    dispatcher = Dispatcher(repository, publisher, SystemClock(), NEVER)
    for _ in range(20):
        await submit(repository)
    await dispatcher.dispatch()
    await overdue(database)
    publisher.waiting = 20
    assert [await dispatcher.redispatch() for _ in range(3)] == [0, 0, 0]
    assert len(publisher.published) == 20


async def test_long_overdue_tasks_are_published_whatever_the_queue_holds(
    repository: SqlTaskRepository, database: Database
) -> None:
    publisher = RecordingPublisher()
    dispatcher = Dispatcher(repository, publisher, SystemClock(), NEVER)
    await submit(repository)
    await dispatcher.dispatch()
    publisher.waiting = 1000
    await overdue(database, seconds=3700)
    assert await dispatcher.redispatch() == 1


async def overdue(database: Database, seconds: float = 1) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(tasks).values(dispatch_due_at=from_now(-seconds)))

    await database.write(work)


async def test_crash_of_one_round_does_not_end_the_loop(repository: SqlTaskRepository) -> None:
    class Faulty(RecordingPublisher):
        async def publish(self, dispatch: Dispatch) -> None:
            if not self.attempted.is_set():
                self.attempted.set()
                raise RuntimeError("a bug")
            await super().publish(dispatch)

    publisher = Faulty()
    await submit(repository)
    async with running(Dispatcher(repository, publisher, SystemClock(), 0.05)):
        await publisher.attempted.wait()
        second = await submit(repository)
        await publisher.accepted.wait()
    assert publisher.published == [second]
