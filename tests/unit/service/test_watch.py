import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task import Change
from ketline.service.tasks.watch import Watch, Watcher
from tests.fakes import FakeTaskRepository

NEVER = 3600.0


@pytest.fixture
def repository() -> FakeTaskRepository:
    return FakeTaskRepository()


@pytest.fixture
def watch(repository: FakeTaskRepository) -> Watch:
    return Watch(repository, poll_seconds=NEVER)


async def submitted(repository: FakeTaskRepository) -> TaskId:
    task_id = TaskId(uuid4())
    submission = Submission(
        task_id=task_id, spec=TaskSpec(circuit="x", shots=1, max_attempts=1), correlation_id=CorrelationId("c")
    )
    await repository.add(submission)
    return task_id


def told(watcher: Watcher) -> bool:
    """Whether a wait would return at once; if so, the wait is over."""
    waiting = watcher.wait()
    try:
        waiting.send(None)
    except StopIteration:
        return True
    waiting.close()
    return False


def changes(task_id: TaskId, *statuses: TaskStatus) -> Sequence[Change]:
    return [Change(task_id=task_id, status=status) for status in statuses]


async def test_change_wakes_the_watchers_of_that_task(watch: Watch) -> None:
    one, other = TaskId(uuid4()), TaskId(uuid4())
    with watch.watching(one) as first, watch.watching(one) as second, watch.watching(other) as third:
        watch.on_change(changes(one, TaskStatus.PROCESSING))
        assert (told(first), told(second), told(third)) == (True, True, False)
        assert not told(first)


async def test_watcher_of_the_end_is_not_woken_before_it(watch: Watch) -> None:
    task_id = TaskId(uuid4())
    with watch.watching(task_id, end_only=True) as watcher:
        watch.on_change(changes(task_id, TaskStatus.PROCESSING, TaskStatus.PENDING))
        assert not told(watcher)
        watch.on_change(changes(task_id, TaskStatus.FAILED))
        assert told(watcher)


@pytest.mark.parametrize("end_only", [True, False])
async def test_poll_makes_up_for_a_lost_notification(
    watch: Watch, repository: FakeTaskRepository, end_only: bool
) -> None:
    task_id = await submitted(repository)
    with watch.watching(task_id, end_only=end_only) as watcher:
        await watch.poll()
        told(watcher)
        await watch.poll()
        assert not told(watcher)
        repository.change(task_id, TaskStatus.PROCESSING)
        await watch.poll()
        assert told(watcher) is not end_only
        repository.change(task_id, TaskStatus.COMPLETED)
        await watch.poll()
        assert told(watcher)


async def test_first_poll_wakes_for_an_earlier_change(watch: Watch, repository: FakeTaskRepository) -> None:
    task_id = await submitted(repository)
    with watch.watching(task_id) as watcher:
        repository.change(task_id, TaskStatus.PROCESSING)
        await watch.poll()
        assert told(watcher)


async def test_deleted_task_wakes_its_watchers(watch: Watch, repository: FakeTaskRepository) -> None:
    task_id = await submitted(repository)
    with watch.watching(task_id, end_only=True) as watcher:
        del repository.tasks[task_id]
        await watch.poll()
        assert told(watcher)


async def test_a_thousand_watchers_share_one_query(watch: Watch, repository: FakeTaskRepository) -> None:
    ids = [await submitted(repository) for _ in range(1000)]
    contexts = [watch.watching(task_id) for task_id in ids]
    for context in contexts:
        context.__enter__()
    await watch.poll()
    assert repository.standings_asked == 1
    assert watch.watched == 1000
    for context in contexts:
        context.__exit__(None, None, None)
    assert watch.watched == 0
    await watch.poll()
    assert repository.standings_asked == 1, "nobody waits, so nothing is asked"


async def test_loop_polls_and_survives_a_database_outage(repository: FakeTaskRepository) -> None:
    watch = Watch(repository, poll_seconds=0.01)
    task_id = await submitted(repository)
    repository.error = DatabaseUnavailable("down")
    polling = asyncio.create_task(watch.run())
    with watch.watching(task_id, end_only=True) as watcher:
        async with asyncio.timeout(5):
            while not repository.failures:  # noqa: ASYNC110 - the loop polls by itself
                await asyncio.sleep(0)
        repository.error = None
        repository.change(task_id, TaskStatus.COMPLETED)
        async with asyncio.timeout(5):
            await watcher.wait()
    polling.cancel()


async def test_resync_polls_at_once(watch: Watch, repository: FakeTaskRepository) -> None:
    task_id = await submitted(repository)
    polling = asyncio.create_task(watch.run())
    with watch.watching(task_id, end_only=True) as watcher:
        await asyncio.sleep(0)
        repository.change(task_id, TaskStatus.COMPLETED)
        watch.resync()
        async with asyncio.timeout(5):
            await watcher.wait()
    polling.cancel()


async def test_close_wakes_present_and_later_watchers(watch: Watch) -> None:
    with watch.watching(TaskId(uuid4()), end_only=True) as watcher:
        watch.close()
        assert told(watcher)
    with watch.watching(TaskId(uuid4())) as late:
        assert told(late)
