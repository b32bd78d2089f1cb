"""Charts draw what is known, break where nothing is, and have round ticks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ketline.web.axes import duration_scale, linear_scale, time_ticks
from ketline.web.chart import Series, Span, count_chart, duration_chart

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
STEP = timedelta(minutes=6)
SPAN = Span(start=START, end=START + timedelta(hours=1), step=STEP)


def series(*values: float | None, first: int = 0) -> Series:
    return Series("mean", [(START + STEP * (first + number), value) for number, value in enumerate(values)])


def path(*values: float | None, first: int = 0) -> str:
    return count_chart("Waiting", SPAN, [series(*values, first=first)]).lines[0].path


def test_line_goes_through_the_middles_of_periods_from_the_first_to_the_last_moment() -> None:
    assert path(0, 10) == "M0.0 100.0L50.0 100.0L150.0 0.0L200.0 0.0"


def test_line_has_a_break_where_a_value_is_missing() -> None:
    assert path(10, None, 10) == "M0.0 0.0L50.0 0.0L100.0 0.0M200.0 0.0L250.0 0.0L300.0 0.0"


def test_line_has_a_break_where_a_period_is_missing() -> None:
    before, after = series(10), series(10, first=5)
    [line] = count_chart("Waiting", SPAN, [Series("mean", [*before.values, *after.values])]).lines
    assert line.path == "M0.0 0.0L50.0 0.0L100.0 0.0M500.0 0.0L550.0 0.0L600.0 0.0"


def test_period_that_begins_before_the_chart_or_ends_after_it_is_cut_off() -> None:
    assert path(10, first=-1) == "M0.0 0.0L0.0 0.0L0.0 0.0"
    assert path(10, first=9).endswith("L1000.0 0.0")


def test_chart_without_values_has_axes_and_says_so() -> None:
    chart = count_chart("Waiting", SPAN, [series()])
    assert (chart.lines[0].path, chart.description) == ("", "mean: no values.")
    assert [tick.text for tick in chart.values] == ["0", "1"]


def test_description_has_the_range_and_the_last_value() -> None:
    assert count_chart("Waiting", SPAN, [series(3, 1, None, 2)]).description == "mean: between 1 and 3, at last 2."
    chart = duration_chart("Waiting time", SPAN, [series(0.002, 90)])
    assert chart.description == "mean: between 2 ms and 1 min 30 s, at last 1 min 30 s."


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0.3, ["0", "0.1", "0.2", "0.3"]),
        (1, ["0", "0.5", "1"]),
        (4, ["0", "1", "2", "3", "4"]),
        (41, ["0", "20", "40", "60"]),
        (999, ["0", "500", "1,000"]),
        (1_000_000, ["0", "500,000", "1,000,000"]),
    ],
)
def test_linear_scale_ends_at_a_round_number(most: float, ticks: Sequence[str]) -> None:
    scale = linear_scale([0, most])
    assert [tick.text for tick in scale.ticks] == ticks
    assert (scale.ticks[0].share, scale.ticks[-1].share) == (0, 1)
    assert 0.6 < scale.share_of(most) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.02, 3.0], ["10 ms", "100 ms", "1 s", "10 s"]),
        ([1.0], ["100 ms", "1 s"]),
        ([], ["1 ms", "10 ms", "100 ms", "1 s"]),
        ([0.0, 5.0], ["1 s", "10 s"]),
        ([1e-9, 50.0], ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "1 min"]),
        ([3.0, 90_000.0], ["1 s", "10 s", "1 min", "10 min", "1 h", "10 h", "1 d", "10 d"]),
        ([1e9], ["100 d", "1000 d"]),
    ],
)
def test_duration_scale_has_round_durations(values: Sequence[float], ticks: Sequence[str]) -> None:
    assert [tick.text for tick in duration_scale(values).ticks] == ticks


def test_duration_scale_has_equal_factors_at_equal_distances_and_0_at_the_bottom() -> None:
    scale = duration_scale([0.001, 1.0])
    assert [scale.share_of(value) for value in (0.0, 1e-9, 0.001, 0.01, 0.1, 1.0)] == pytest.approx(
        [0, 0, 0, 1 / 3, 2 / 3, 1]
    )


@pytest.mark.parametrize(
    ("length", "first", "last", "number"),
    [
        (timedelta(hours=1), "12:10", "13:00", 6),
        (timedelta(hours=6), "13:00", "18:00", 6),
        (timedelta(hours=24), "16:00", "12:00", 6),
        (timedelta(days=7), "01 Dec", "07 Dec", 4),
        (timedelta(days=30), "03 Dec", "28 Dec", 6),
    ],
)
def test_times_are_round_and_few_enough_for_a_phone(length: timedelta, first: str, last: str, number: int) -> None:
    start = START + timedelta(seconds=7)
    ticks = time_ticks(start, start + length)
    assert (ticks[0].text, ticks[-1].text, len(ticks)) == (first, last, number)
    assert all(0 <= tick.share <= 1 for tick in ticks)
