"""One large program at a time: who is let in, and when those who are not ask again."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ketline.domain.errors import MachineBusy
from ketline.execution.parent.admission import MAX_DELAY_SECONDS, Admission, Permit


class HandClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def admission(clock: HandClock) -> Admission:
    return Admission(clock)


def delay_of(admission: Admission) -> float:
    with pytest.raises(MachineBusy) as caught:
        admission.enter()
    return caught.value.delay.total_seconds()


def test_second_is_let_in_when_the_first_has_left(admission: Admission) -> None:
    first = admission.enter()
    delay_of(admission)
    first.end()
    admission.enter()


def test_grant_that_ended_long_ago_ends_no_other(admission: Admission) -> None:
    first = admission.enter()
    first.end()
    admission.enter()
    first.end()
    delay_of(admission)


def test_delay_is_as_long_as_the_program_has_run(admission: Admission, clock: HandClock) -> None:
    admission.enter()
    assert delay_of(admission) == 1
    clock.now += 8
    assert delay_of(admission) == 8
    clock.now += 100
    assert delay_of(admission) == MAX_DELAY_SECONDS


def test_who_asks_after_each_delay_is_turned_away_a_logarithmic_number_of_times(
    admission: Admission, clock: HandClock
) -> None:
    admission.enter()
    began, asked = clock.now, 0
    while clock.now < began + MAX_DELAY_SECONDS:
        clock.now += delay_of(admission)
        asked += 1
    assert asked <= 6


def test_who_is_turned_away_first_comes_back_first(admission: Admission, clock: HandClock) -> None:
    first = admission.enter()
    clock.now += 20
    due = clock.now + delay_of(admission)
    first.end()
    admission.enter()
    clock.now += 0.1
    assert clock.now + delay_of(admission) > due


def test_crowd_comes_back_one_by_one(admission: Admission, clock: HandClock) -> None:
    admission.enter()
    delays = [delay_of(admission) for _ in range(1000)]
    assert delays == sorted(delays)
    assert sum(delay < 5 for delay in delays) <= 100
    assert max(delays) == MAX_DELAY_SECONDS


def test_of_many_threads_one_is_let_in() -> None:
    admission = Admission()

    def enter(_number: int) -> Permit | None:
        try:
            return admission.enter()
        except MachineBusy:
            return None

    with ThreadPoolExecutor(8) as threads:
        assert sum(grant is not None for grant in threads.map(enter, range(200))) == 1
