"""Axes of charts: scales of values and of time, with their ticks; `chart.py` draws with them."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ketline.web.formatting import round_duration

_MAX_INTERVALS = 4
_MAX_TIMES = 7
_MAX_DURATIONS = 8
_DAY = 86_400
# Seconds that are ticks of an axis of durations.
_DURATIONS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, _DAY, 10 * _DAY, 100 * _DAY, 1000 * _DAY)
# Seconds between two times on an axis.
_PACES = (60, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, _DAY, 2 * _DAY, 5 * _DAY, 10 * _DAY, 30 * _DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on an axis, as a share of its length, with its label."""

    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of values from bottom to top: ticks, and the share of the height of any value."""

    ticks: Sequence[Tick]
    share_of: Callable[[float], float]


def linear_scale(values: Iterable[float]) -> Scale:
    """From 0 to a round number that no value exceeds."""
    most = max(values, default=0.0)
    step = _round_up(most / _MAX_INTERVALS) if most > 0 else 1.0
    number = max(1, math.ceil(most / step - 1e-9))
    ticks = [Tick(share=index / number, text=_plain(index * step)) for index in range(number + 1)]
    return Scale(ticks, lambda value: value / (number * step))


def duration_scale(values: Iterable[float]) -> Scale:
    """Round durations, at distances by their logarithms; values below the least of them, as 0, are at the bottom."""
    positive = [value for value in values if value > 0]
    above = bisect_left(_DURATIONS, max(positive, default=1.0) * (1 - 1e-9))
    high = min(max(above, 1), len(_DURATIONS) - 1)
    below = bisect_right(_DURATIONS, min(positive, default=0.001) * (1 + 1e-9)) - 1
    low = max(0, min(below, high - 1), high - _MAX_DURATIONS + 1)
    bottom, decades = _DURATIONS[low], math.log10(_DURATIONS[high] / _DURATIONS[low])

    def share_of(value: float) -> float:
        return min(1.0, math.log10(value / bottom) / decades) if value > bottom else 0.0

    return Scale(
        [Tick(share=share_of(mark), text=round_duration(mark)) for mark in _DURATIONS[low : high + 1]], share_of
    )


def time_ticks(start: datetime, end: datetime) -> Sequence[Tick]:
    """Round times in UTC, days where the axis is longer than some days."""
    first, last = start.timestamp(), end.timestamp()
    pace = next((pace for pace in _PACES if (last - first) / pace < _MAX_TIMES), _PACES[-1])
    times = range(math.ceil(first / pace) * pace, math.floor(last) + 1, pace)
    return [Tick(share=(time - first) / (last - first), text=_time(time, pace)) for time in times]


def _time(time: int, pace: int) -> str:
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%d %b}" if pace >= _DAY else f"{moment:%H:%M}"


def _round_up(value: float) -> float:
    """The least number of the form 1, 2 or 5 times a power of ten that is not smaller."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 and abs(value - round(value)) < 1e-9 else f"{value:g}"
