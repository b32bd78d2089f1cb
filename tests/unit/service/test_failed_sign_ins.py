"""How often an address may fail, for how long it then waits, and how much the process remembers."""

import pytest

from ketline.domain.access.rate_limits import parse_rate_limits
from ketline.service.access import failures
from ketline.service.access.failures import FailedSignIns


class SetClock:
    """Stands until a test sets it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def _failing(clock: SetClock, text: str = "30/minute") -> FailedSignIns:
    return FailedSignIns(parse_rate_limits(text), clock)


def _fails(failed: FailedSignIns, origin: str | None = "192.0.2.1") -> bool:
    """Make an attempt that fails, if one is permitted."""
    if failed.exceeded(origin) is not None:
        return False
    failed.count(origin)
    return True


def test_so_many_failures_at_once_and_then_one_at_a_time(clock: SetClock) -> None:
    failed = _failing(clock)
    assert [_fails(failed) for _ in range(40)] == [True] * 30 + [False] * 10
    exceeded = failed.exceeded("192.0.2.1")
    assert exceeded is not None
    assert exceeded.reset_seconds == pytest.approx(2.0)
    for _ in range(100):
        clock.now += 2.0
        assert [_fails(failed) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("text", ["1/second", "1/hour", "3/hour", "7/minute", "999999/hour"])
def test_no_attempt_is_permitted_before_its_time_and_each_is_then(clock: SetClock, text: str) -> None:
    failed, (limit,) = _failing(clock, text), parse_rate_limits(text)
    for _ in range(min(limit.requests, 100)):
        assert _fails(failed)
    if limit.requests <= 100:
        exceeded = failed.exceeded("192.0.2.1")
        assert exceeded is not None
        clock.now += 0.4 * exceeded.reset_seconds
        assert not _fails(failed)
        clock.now += 0.6 * exceeded.reset_seconds
        assert _fails(failed)


def test_idle_address_may_fail_as_often_as_at_first(clock: SetClock) -> None:
    failed = _failing(clock)
    for _ in range(3):
        assert [_fails(failed) for _ in range(31)] == [True] * 30 + [False]
        clock.now += 60.0


def test_every_limit_holds_and_the_longest_wait_is_named(clock: SetClock) -> None:
    failed = _failing(clock, "2/second, 3/hour")
    assert [_fails(failed) for _ in range(3)] == [True, True, False]
    clock.now += 1.0
    assert _fails(failed)
    exceeded = failed.exceeded("192.0.2.1")
    assert exceeded is not None
    assert (exceeded.limit.window, round(exceeded.reset_seconds)) == ("hour", 1199)


def test_failures_under_way_together_do_not_lengthen_the_wait(clock: SetClock) -> None:
    failed = _failing(clock)
    for _ in range(1000):
        failed.count("192.0.2.1")
    clock.now += 2.0
    assert [_fails(failed) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("unknown", None, True),
        ("unknown", "192.0.2.1", False),
    ],
)
def test_who_has_one_limit(clock: SetClock, one: str | None, other: str | None, same: bool) -> None:
    failed = _failing(clock, "1/hour")
    assert _fails(failed, one)
    assert not _fails(failed, one)
    assert _fails(failed, other) is not same


def test_without_a_limit_nothing_is_rejected(clock: SetClock) -> None:
    failed = FailedSignIns((), clock)
    assert all(_fails(failed) for _ in range(1000))


def test_memory_is_bounded(clock: SetClock) -> None:
    failed = _failing(clock, "1/hour")
    for number in range(failures.MAX_ADDRESSES):
        failed.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    failed.count("10.0.0.0")
    failed.count("192.0.2.1")
    assert failed.exceeded("10.0.0.1") is None
    assert failed.exceeded("10.0.0.0") is not None
    assert failed.exceeded("192.0.2.1") is not None
