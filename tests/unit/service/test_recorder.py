"""Which minutes a process records: those that it watched from their beginning on, and no other."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.operations.history import minute_of
from ketline.service.upkeep.recorder import RETRY_SECONDS, Recorder
from tests.fake_history import FakeStatisticsHistory

START = datetime(2026, 11, 30, 12, 0, 30, tzinfo=UTC)
NOON = minute_of(START)


class SteppingClock:
    """Sets the time of the history forward instead of sleeping, and stops after some sleeps."""

    def __init__(self, history: FakeStatisticsHistory, sleeps: int) -> None:
        self.history = history
        self.slept: list[float] = []
        self.sleeps = sleeps
        self.done = asyncio.Event()

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.sleeps:
            self.done.set()
            await asyncio.Event().wait()
        self.history.at += timedelta(seconds=seconds)


def recorder(history: FakeStatisticsHistory) -> Recorder:
    return Recorder(history, SteppingClock(history, 1))


async def walk(recorder: Recorder, history: FakeStatisticsHistory, *pauses: float) -> list[int]:
    for seconds in pauses:
        history.at += timedelta(seconds=seconds)
        await recorder.step()
    return [minute - NOON for minute in history.recorded]


async def test_minute_in_which_the_process_started_is_left_out() -> None:
    history = FakeStatisticsHistory(at=START)
    assert await walk(recorder(history), history, 0, 35, 60, 60) == [1, 2]


async def test_process_that_starts_at_the_beginning_of_a_minute_records_it() -> None:
    history = FakeStatisticsHistory(at=START)
    assert await walk(recorder(history), history, 30, 60) == [1]


async def test_minute_is_recorded_once_however_often_the_clock_is_read() -> None:
    history = FakeStatisticsHistory(at=START)
    assert await walk(recorder(history), history, 0, 35, 60, 1, 1, 57) == [1, 2]


@pytest.mark.parametrize("pause", [91, 600, 86_400, -1, -3600])
async def test_time_that_the_process_did_not_watch_is_left_out(pause: float) -> None:
    """It slept, or the clock was set: what it finds recorded there later, others recorded."""
    history = FakeStatisticsHistory(at=START)
    watching = recorder(history)
    assert await walk(watching, history, 0, 35, 60) == [1]
    history.recorded.clear()
    await walk(watching, history, pause)
    assert history.recorded == []
    resumed = minute_of(history.at) - NOON
    assert await walk(watching, history, 60, 60) == [resumed + 1]


async def test_failure_leaves_the_minute_to_the_next_attempt() -> None:
    history = FakeStatisticsHistory(at=START)
    watching = recorder(history)
    await walk(watching, history, 0, 35)
    history.error = DatabaseUnavailable("down")
    with pytest.raises(DatabaseUnavailable):
        await walk(watching, history, 60)
    history.error = None
    assert await walk(watching, history, 5) == [1]


async def test_loop_comes_some_seconds_after_each_minute_and_soon_after_a_failure() -> None:
    history = FakeStatisticsHistory(at=START)
    clock = SteppingClock(history, 5)
    running = asyncio.create_task(Recorder(history, clock, delay_seconds=7).run())
    await clock.done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert clock.slept == [37, 60, 60, 60, 60]
    assert [minute - NOON for minute in history.recorded] == [1, 2, 3]
    history.error = DatabaseUnavailable("down")
    clock = SteppingClock(history, 2)
    running = asyncio.create_task(Recorder(history, clock, delay_seconds=7).run())
    await clock.done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert clock.slept == [RETRY_SECONDS] * 2
