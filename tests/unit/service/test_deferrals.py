"""Which deferred task is recalled when the machine is free, and when none is."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from ketline.domain.attempts.claim import Lease
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import LeaseToken, TaskId, WorkerId
from ketline.service.attempts.deferrals import RECALL_TIMEOUT_SECONDS, Deferrals
from tests.runners import HandClock

DELAY = timedelta(seconds=20)


class RecallingRepository:
    """Defers and recalls any lease that is not in `gone`; `recall` raises `error` while that is set."""

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
    """A worker with deferrals; its machine is busy while a test sets `busy`."""

    def __init__(self) -> None:
        self.repository = RecallingRepository()
        self.clock = HandClock()
        self.busy = False
        self.nudges = 0
        self.deferrals = Deferrals(self.repository, self.clock, lambda: self.busy, self._nudge)

    def _nudge(self) -> None:
        self.nudges += 1

    async def recalled(self, after: Lease | None = None) -> list[Lease]:
        """The leases that are recalled after this attempt, or after one of a task that was never deferred."""
        self.repository.recalled.clear()
        await self.deferrals.recall((after or SMALL).task_id)
        return list(self.repository.recalled)


def lease(number: int) -> Lease:
    return Lease(task_id=TaskId(UUID(int=number)), attempt=1, token=LeaseToken(uuid4()), worker_id=WorkerId("worker-1"))


SMALL = lease(99)


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def test_oldest_task_is_recalled_first(worker: Worker) -> None:
    second, first = lease(2), lease(1)
    for deferred in (second, first):
        assert await worker.deferrals.defer(deferred, DELAY)
    assert await worker.recalled() == [first]
    assert worker.nudges == 1, "it is dispatched at once"
    assert await worker.recalled() == [], "it is coming"
    worker.clock.now += RECALL_TIMEOUT_SECONDS
    assert await worker.recalled() == [second]


async def test_next_is_recalled_when_the_recalled_task_has_ended(worker: Worker) -> None:
    first, second = lease(1), lease(2)
    for deferred in (first, second):
        await worker.deferrals.defer(deferred, DELAY)
    assert await worker.recalled() == [first]
    assert await worker.recalled(after=first) == [second]


async def test_no_task_is_recalled_while_the_machine_is_busy(worker: Worker) -> None:
    deferred = lease(1)
    await worker.deferrals.defer(deferred, DELAY)
    worker.busy = True
    assert await worker.recalled() == []
    worker.busy = False
    assert await worker.recalled() == [deferred]


async def test_task_deferred_again_is_recalled_again(worker: Worker) -> None:
    again = lease(1)
    await worker.deferrals.defer(lease(1), DELAY)
    await worker.recalled()
    await worker.deferrals.defer(again, DELAY)
    assert await worker.recalled(after=again) == [again]


async def test_task_whose_delay_is_over_is_not_recalled(worker: Worker) -> None:
    await worker.deferrals.defer(lease(1), DELAY)
    worker.clock.now += DELAY.total_seconds()
    assert await worker.recalled() == []


async def test_task_deferred_without_a_delay_is_not_recalled(worker: Worker) -> None:
    await worker.deferrals.defer(lease(1), timedelta())
    worker.clock.now -= 1  # whatever the clock says
    assert await worker.recalled() == []


async def test_next_is_recalled_in_place_of_one_that_no_longer_waits(worker: Worker) -> None:
    gone, waiting = lease(1), lease(2)
    for deferred in (gone, waiting):
        await worker.deferrals.defer(deferred, DELAY)
    worker.repository.gone.add(gone)
    assert await worker.recalled() == [gone, waiting]


async def test_task_that_was_not_deferred_is_not_recalled(worker: Worker) -> None:
    lost = lease(1)
    worker.repository.gone.add(lost)
    assert not await worker.deferrals.defer(lost, DELAY)
    assert await worker.recalled() == []


async def test_no_task_is_recalled_during_a_database_outage(worker: Worker) -> None:
    await worker.deferrals.defer(lease(1), DELAY)
    worker.repository.error = DatabaseUnavailable("The database does not answer.")
    assert await worker.recalled() == []
