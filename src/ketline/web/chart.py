"""Charts of time series with axes, as paths and ticks from which the template makes SVG.

A line has breaks where there is no value: what nobody knows is not drawn.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ketline.web.axes import Scale, Tick, duration_scale, linear_scale, time_ticks
from ketline.web.formatting import duration

WIDTH, HEIGHT = 1000.0, 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that charts are about, and the length of a period."""

    start: datetime
    end: datetime
    step: timedelta


@dataclass(frozen=True, slots=True)
class Series:
    """Values by the time at which their period begins; None where there is none."""

    label: str
    values: Sequence[tuple[datetime, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A series as the `d` attribute of a path in a box of `WIDTH` by `HEIGHT`, and a summary in words."""

    label: str
    path: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over one axis of values and one of time."""

    title: str
    lines: Sequence[Line]
    values: Sequence[Tick]
    times: Sequence[Tick]

    @property
    def description(self) -> str:
        """The lines in words, for those who do not see them."""
        return " ".join(f"{line.label}: {line.summary}." for line in self.lines)


def count_chart(title: str, span: Span, series: Sequence[Series]) -> Chart:
    """A chart of numbers, from 0 up."""
    return _chart(title, span, series, linear_scale(_known(series)), lambda value: f"{value:.3g}")


def duration_chart(title: str, span: Span, series: Sequence[Series]) -> Chart:
    """A chart of durations in seconds, in powers of ten."""
    return _chart(title, span, series, duration_scale(_known(series)), duration)


def _chart(title: str, span: Span, series: Sequence[Series], scale: Scale, written: Callable[[float], str]) -> Chart:
    lines = [Line(label=one.label, path=_path(one, span, scale), summary=_summary(one, written)) for one in series]
    return Chart(title=title, lines=lines, values=scale.ticks, times=time_ticks(span.start, span.end))


def _known(series: Iterable[Series]) -> Sequence[float]:
    return [value for one in series for _, value in one.values if value is not None]


def _summary(series: Series, written: Callable[[float], str]) -> str:
    known = _known([series])
    if not known:
        return "no values"
    return f"between {written(min(known))} and {written(max(known))}, at last {written(known[-1])}"


def _path(series: Series, span: Span, scale: Scale) -> str:
    return "".join(_stretch(points, span, scale) for points in _stretches(series, span.step))


def _stretches(series: Series, step: timedelta) -> Iterator[Sequence[tuple[datetime, float]]]:
    """Runs of values that follow each other without a gap."""
    run: list[tuple[datetime, float]] = []
    for at, value in series.values:
        if run and (value is None or at - run[-1][0] > step):
            yield run
            run = []
        if value is not None:
            run.append((at, value))
    if run:
        yield run


def _stretch(points: Sequence[tuple[datetime, float]], span: Span, scale: Scale) -> str:
    """A line through the middles of periods, from the beginning of the first to the end of the last."""
    start, length = span.start.timestamp(), (span.end - span.start).total_seconds()
    times = [at.timestamp() - start for at, _ in points]
    step = span.step.total_seconds()
    times = [times[0], *(time + step / 2 for time in times), times[-1] + step]
    xs = (WIDTH * min(1.0, max(0.0, time / length)) for time in times)
    heights = [HEIGHT * (1 - scale.share_of(value)) for _, value in points]
    ys = [heights[0], *heights, heights[-1]]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
