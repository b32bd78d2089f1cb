"""Who is called back when the machine is free, and when nobody is."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.task import Lease, LeaseToken, TaskId, WorkerId
from ketline.service.attempts.deferrals import COMING_SECONDS, Deferrals
from tests.runners import HandClock

DELAY = timedelta(seconds=20)


class RecallingRepository:
    """Defers what is asked, and recalls it unless it is among `gone`; recalling raises `error` while that is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.gone: set[Lease] = set()
        self.recalled: list[Lease] = []

    async def defer(self, lease: Lease, delay: timedelta, cause: str = "machine_busy") -> bool:
        return lease not in self.gone

    async def recall(self, lease: Lease) -> bool:
        if self.error is not None:
            raise self.error
        self.recalled.append(lease)
        return lease not in self.gone


class Worker:
    """One whose machine is busy as a test says."""

    def __init__(self) -> None:
        self.repository = RecallingRepository()
        self.clock = HandClock()
        self.busy = False
        self.nudges = 0
        self.deferrals = Deferrals(self.repository, self.clock, lambda: self.busy, self._nudge)

    def _nudge(self) -> None:
        self.nudges += 1

    async def recalled(self, after: Lease | None = None) -> list[Lease]:
        """Those who are called back after this attempt, or that of a task that never waited."""
        self.repository.recalled.clear()
        await self.deferrals.recall((after or SMALL).task_id)
        return list(self.repository.recalled)


def lease(number: int) -> Lease:
    return Lease(task_id=TaskId(UUID(int=number)), attempt=1, token=LeaseToken(uuid4()), worker_id=WorkerId("worker-1"))


SMALL = lease(99)


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def test_task_that_came_first_is_called_back_first(worker: Worker) -> None:
    second, first = lease(2), lease(1)
    for deferred in (second, first):
        assert await worker.deferrals.defer(deferred, DELAY)
    assert await worker.recalled() == [first]
    assert worker.nudges == 1, "it is dispatched at once"
    assert await worker.recalled() == [], "it is coming"
    worker.clock.now += COMING_SECONDS
    assert await worker.recalled() == [second]


async def test_next_is_called_once_the_one_that_was_called_has_ended(worker: Worker) -> None:
    first, second = lease(1), lease(2)
    for deferred in (first, second):
        await worker.deferrals.defer(deferred, DELAY)
    assert await worker.recalled() == [first]
    assert await worker.recalled(after=first) == [second]


async def test_nobody_is_called_while_the_machine_is_busy(worker: Worker) -> None:
    deferred = lease(1)
    await worker.deferrals.defer(deferred, DELAY)
    worker.busy = True
    assert await worker.recalled() == []
    worker.busy = False
    assert await worker.recalled() == [deferred]


async def test_task_turned_away_again_is_called_again(worker: Worker) -> None:
    again = lease(1)
    await worker.deferrals.defer(lease(1), DELAY)
    await worker.recalled()
    await worker.deferrals.defer(again, DELAY)
    assert await worker.recalled(after=again) == [again]


async def test_task_whose_delay_is_over_comes_by_itself(worker: Worker) -> None:
    await worker.deferrals.defer(lease(1), DELAY)
    worker.clock.now += DELAY.total_seconds()
    assert await worker.recalled() == []


async def test_task_put_back_without_a_delay_needs_no_call(worker: Worker) -> None:
    await worker.deferrals.defer(lease(1), timedelta())
    worker.clock.now -= 1  # whatever the clock says
    assert await worker.recalled() == []


async def test_next_is_called_in_place_of_one_that_waits_no_more(worker: Worker) -> None:
    gone, waiting = lease(1), lease(2)
    for deferred in (gone, waiting):
        await worker.deferrals.defer(deferred, DELAY)
    worker.repository.gone.add(gone)
    assert await worker.recalled() == [gone, waiting]


async def test_task_that_was_not_deferred_is_not_called(worker: Worker) -> None:
    lost = lease(1)
    worker.repository.gone.add(lost)
    assert not await worker.deferrals.defer(lost, DELAY)
    assert await worker.recalled() == []


async def test_tasks_come_by_themselves_while_the_database_is_away(worker: Worker) -> None:
    await worker.deferrals.defer(lease(1), DELAY)
    worker.repository.error = DatabaseUnavailable("The database does not answer.")
    assert await worker.recalled() == []
