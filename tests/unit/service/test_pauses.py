"""Pauses are read at most once a second, and a health check never waits long for them."""

import asyncio
from collections.abc import Sequence

import pytest

from ketline.domain.attempts.claim_stops import EVERY_QUEUE, Pause
from ketline.domain.errors import DatabaseUnavailable
from ketline.service.health.pauses import CACHE_SECONDS, KnownPauses
from tests.actors import TESTER
from tests.fake_administration import FakeClaimControls


class SetClock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing sleeps here")


class HangingControls(FakeClaimControls):
    """A database that does not respond."""

    async def pauses(self) -> Sequence[Pause]:
        await asyncio.Event().wait()
        raise AssertionError("it never responds")


async def test_concurrent_and_later_callers_share_a_query() -> None:
    controls, clock = FakeClaimControls(), SetClock()
    known = KnownPauses(controls, clock)
    await asyncio.gather(*(known() for _ in range(5)))
    await controls.pause(EVERY_QUEUE, None, TESTER)
    assert (await known(), controls.reads) == ([], 1)
    clock.now += CACHE_SECONDS
    assert [one.scope for one in await known()] == ["all"]
    await controls.resume(None, TESTER)
    known.forget()
    assert (await known(), controls.reads) == ([], 3)


async def test_outage_is_an_error_for_requests_and_the_last_state_for_health_checks() -> None:
    controls, clock = FakeClaimControls(), SetClock()
    known = KnownPauses(controls, clock)
    controls.error = DatabaseUnavailable("down")
    assert await known.last_known() is None
    controls.error = None
    await controls.pause(EVERY_QUEUE, None, TESTER)
    await known()
    clock.now += CACHE_SECONDS
    controls.error = DatabaseUnavailable("down")
    with pytest.raises(DatabaseUnavailable):
        await known()
    assert [one.scope for one in await known.last_known() or ()] == ["all"]


async def test_health_check_does_not_wait_for_a_database_that_hangs() -> None:
    known = KnownPauses(HangingControls(), SetClock(), longest_wait_seconds=0.01)
    async with asyncio.timeout(5):
        assert await known.last_known() is None
