"""How often usage is summed for any number of callers, with a ledger that takes as long as a test says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.access.usage import UsageQuery, UsageRow
from ketline.domain.errors import DatabaseUnavailable
from ketline.service.tasks.usage import CACHE_FACTOR, MAX_CACHED, MIN_CACHE_SECONDS, SumUsage
from tests.fake_usage import FakeUsageLedger
from tests.unit.service.test_statistics import HandClock

QUERY = UsageQuery(project=DEFAULT_PROJECT)


class SlowLedger(FakeUsageLedger):
    """Sums take `seconds` of the clock, and end when the test lets them."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock = clock
        self.seconds = 0.0
        self.may_end = asyncio.Event()
        self.running = self.most_running = 0

    async def sums(self, query: UsageQuery) -> Sequence[UsageRow]:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await self.may_end.wait()
        await self.clock.sleep(self.seconds)
        self.running -= 1
        return await super().sums(query)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ledger(clock: HandClock) -> SlowLedger:
    return SlowLedger(clock)


@pytest.fixture
def usage(ledger: SlowLedger, clock: HandClock) -> SumUsage:
    return SumUsage(ledger, clock)


@pytest.mark.parametrize(("took", "cached"), [(0.0, MIN_CACHE_SECONDS), (3.0, CACHE_FACTOR * 3.0)])
async def test_sums_are_cached_for_longer_the_longer_they_took(
    usage: SumUsage, ledger: SlowLedger, clock: HandClock, took: float, cached: float
) -> None:
    ledger.seconds = took
    ledger.may_end.set()
    await usage(QUERY)
    await clock.sleep(cached * 0.99)
    await usage(QUERY)
    assert len(ledger.queries) == 1
    await clock.sleep(cached * 0.02)
    await usage(QUERY)
    assert len(ledger.queries) == 2


async def test_concurrent_callers_share_sums(usage: SumUsage, ledger: SlowLedger) -> None:
    callers = [asyncio.create_task(usage(QUERY)) for _ in range(5)]
    await asyncio.sleep(0)
    ledger.may_end.set()
    await asyncio.gather(*callers)
    assert ledger.queries == [QUERY]


async def test_one_query_is_summed_at_a_time(usage: SumUsage, ledger: SlowLedger) -> None:
    projects = [ProjectName(f"p{number}") for number in range(5)]
    callers = [asyncio.create_task(usage(replace(QUERY, project=project))) for project in projects]
    await asyncio.sleep(0)
    ledger.may_end.set()
    await asyncio.gather(*callers)
    assert [query.project for query in ledger.queries] == projects
    assert ledger.most_running == 1


async def test_sums_of_the_oldest_query_are_dropped(usage: SumUsage, ledger: SlowLedger) -> None:
    ledger.may_end.set()
    for number in range(MAX_CACHED + 1):
        await usage(replace(QUERY, project=ProjectName(f"p{number}")))
    await usage(replace(QUERY, project=ProjectName("p1")))
    assert len(ledger.queries) == MAX_CACHED + 1
    await usage(replace(QUERY, project=ProjectName("p0")))
    assert len(ledger.queries) == MAX_CACHED + 2


async def test_failure_is_raised_to_all_and_not_cached(usage: SumUsage, ledger: SlowLedger) -> None:
    ledger.may_end.set()
    ledger.error = DatabaseUnavailable("no database")
    found = await asyncio.gather(*(usage(QUERY) for _ in range(3)), return_exceptions=True)
    assert {type(one) for one in found} == {DatabaseUnavailable}
    assert len(ledger.queries) == 1
    ledger.error = None
    assert await usage(QUERY) == ledger.rows
