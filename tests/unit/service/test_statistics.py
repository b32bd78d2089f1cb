"""How often tasks are counted for any number of callers, with a fake catalogue."""

import asyncio

import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.tasks.lists import TaskStatistics
from ketline.service.tasks.statistics import CACHE_SECONDS, CountTasks
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository


class SlowCatalogue(FakeTaskCatalogue):
    """A catalogue whose counts end when the test lets them."""

    def __init__(self) -> None:
        super().__init__(FakeTaskRepository())
        self.may_end = asyncio.Event()
        self.begun = 0

    async def summarize(self) -> TaskStatistics:
        self.begun += 1
        await self.may_end.wait()
        return await super().summarize()


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


async def test_count_is_cached() -> None:
    catalogue, clock = SlowCatalogue(), HandClock()
    count = CountTasks(catalogue, clock)
    catalogue.may_end.set()
    first = await count()
    await clock.sleep(CACHE_SECONDS / 2)
    assert await count() is first
    await clock.sleep(CACHE_SECONDS / 2)
    assert await count() is not first
    assert catalogue.begun == 2


async def test_concurrent_callers_share_a_count() -> None:
    catalogue = SlowCatalogue()
    count = CountTasks(catalogue, HandClock())
    asking = [asyncio.create_task(count()) for _ in range(5)]
    await asyncio.sleep(0)
    catalogue.may_end.set()
    assert len({id(response) for response in await asyncio.gather(*asking)}) == 1
    assert catalogue.begun == 1


async def test_concurrent_callers_share_a_failure() -> None:
    catalogue = SlowCatalogue()
    catalogue.repository.error = DatabaseUnavailable("down")
    count = CountTasks(catalogue, HandClock())
    asking = [asyncio.create_task(count()) for _ in range(5)]
    await asyncio.sleep(0)
    catalogue.may_end.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 5
    assert catalogue.begun == 1
    catalogue.repository.error = None
    assert (await count()).counts


async def test_cancelled_caller_does_not_cancel_the_count_of_others() -> None:
    catalogue = SlowCatalogue()
    count = CountTasks(catalogue, HandClock())
    first, second = asyncio.create_task(count()), asyncio.create_task(count())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    catalogue.may_end.set()
    assert (await second).counts
    assert catalogue.begun == 1
