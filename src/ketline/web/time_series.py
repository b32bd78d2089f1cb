"""Time series of the service's statistics for the system page, as points and as SVG lines."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import TaskStatistics

LENGTH = timedelta(hours=1)
# Enough for an hour of a page that is updated every two seconds.
MAX_POINTS = 1800
WIDTH, HEIGHT = 100.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The statistics at one time; rates are per minute, over the last minute."""

    at: datetime
    waiting: float
    running: float
    oldest_seconds: float
    completed: float
    failed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A time series as the `d` attribute of an SVG path, `WIDTH` by `HEIGHT`; `area` is the closed area below."""

    path: str
    area: str
    least: float
    most: float


@dataclass(slots=True)
class TimeSeries:
    """The statistics of the last hour, in memory; they are only recorded while a system page is open."""

    _points: deque[Point] = field(default_factory=lambda: deque(maxlen=MAX_POINTS), init=False)

    def add(self, statistics: TaskStatistics) -> Point:
        """Add statistics, unless they are already the last point or older, and return the last point."""
        if not self._points or self._points[-1].at < statistics.at:
            self._points.append(_point(statistics))
        while self._points[0].at < self._points[-1].at - LENGTH:
            self._points.popleft()
        return self._points[-1]

    @property
    def points(self) -> Sequence[Point]:
        return list(self._points)

    def line(self, field_name: str) -> Line | None:
        """The line of one field of `Point`, None if there are fewer than two points."""
        points = self.points
        if len(points) < 2:
            return None
        values = [float(getattr(point, field_name)) for point in points]
        coordinates = list(_coordinates(points, values))
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in coordinates)
        area = f"{path}L{WIDTH:.1f} {HEIGHT:.1f}L0.0 {HEIGHT:.1f}Z"
        return Line(path=path, area=area, least=min(values), most=max(values))


def _coordinates(points: Sequence[Point], values: Sequence[float]) -> Iterator[tuple[float, float]]:
    start, span = points[0].at, (points[-1].at - points[0].at).total_seconds()
    # The bottom is 0, so that a small change of a large value looks small.
    most = max(*values, 1e-9)
    for point, value in zip(points, values, strict=True):
        yield WIDTH * (point.at - start).total_seconds() / span, HEIGHT - (HEIGHT - 2) * value / most - 1


def _point(statistics: TaskStatistics) -> Point:
    rate = min(statistics.rates, key=lambda rate: rate.minutes, default=None)
    return Point(
        at=statistics.at,
        waiting=statistics.counts.get(TaskStatus.PENDING, 0),
        running=statistics.counts.get(TaskStatus.PROCESSING, 0),
        oldest_seconds=statistics.oldest_pending_seconds or 0.0,
        completed=rate.completed_per_minute if rate else 0.0,
        failed=rate.failed_per_minute if rate else 0.0,
    )
