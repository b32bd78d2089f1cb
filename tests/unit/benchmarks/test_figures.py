"""What the benchmark computes from what it measured."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.backlog import tasks_counted
from benchmarks.figures import BacklogFigures, LoadRound, OverheadRound, ScalingFigures, WorkRound
from benchmarks.work import time_taken

START = datetime(2026, 1, 1, tzinfo=UTC)


def load(tasks: int) -> LoadRound:
    return LoadRound(tasks=tasks, unfinished=0, seconds=1.0, submit_seconds=1.0, cpu_ms={}, others=0.0)


def work(tasks: int, *, workers: int = 1) -> WorkRound:
    return WorkRound(workers=workers, tasks=tasks, seconds=2.0, cpu_ms=6.5, others=0.0)


def test_stored_ratio_is_of_the_median_rounds() -> None:
    figures = BacklogFigures(
        mode="embedded",
        stored=10,
        waiting=0,
        empty=[load(100), load(200), load(5)],
        full=[load(90), load(80), load(500)],
        few=[],
        many=[],
    )
    assert figures.stored_ratio == pytest.approx(0.9)
    assert figures.waiting_ratio is None


def test_waiting_ratio_is_of_many_to_few() -> None:
    figures = BacklogFigures(
        mode="distributed", stored=10, waiting=9, empty=[load(1)], full=[load(1)], few=[work(80)], many=[work(60)]
    )
    assert figures.waiting_ratio == pytest.approx(0.75)


def test_more_workers_are_compared_with_one() -> None:
    scaling = ScalingFigures(task_seconds=0.25, slots=2, rounds=[work(10), work(38, workers=4)])
    assert scaling.times(scaling.rounds[1]) == pytest.approx(3.8)


def test_overhead_is_the_share_beyond_the_simulation() -> None:
    entry = OverheadRound(bare=8.0, simulator=10.0, recorded=10.01, client=10.05)
    assert entry.over_simulator == pytest.approx(0.005)
    assert entry.over_bare == pytest.approx(0.25625)


@pytest.mark.parametrize("in_step", [1, 4])
def test_slots_in_step_and_out_of_step_have_one_rate(in_step: int) -> None:
    # Four slots, each with tasks of one second: together, or a quarter of a second apart.
    times = [START + timedelta(seconds=(number // in_step) * in_step / 4) for number in range(40)]
    assert time_taken(times, skipped=8, counted=16) == timedelta(seconds=4)


def test_rounds_leave_half_of_a_long_queue_waiting() -> None:
    rounds, waiting = 3, 1200
    counted = tasks_counted(waiting, rounds=rounds, seconds=10)
    assert 0 < rounds * counted <= waiting / 2


def test_rounds_on_a_very_long_queue_are_as_long_as_asked_for() -> None:
    assert tasks_counted(100_000, rounds=3, seconds=10) == 2 * tasks_counted(100_000, rounds=3, seconds=5)
