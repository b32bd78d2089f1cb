from datetime import UTC, datetime, timedelta

from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Rate, TaskStatistics
from ketline.web.time_series import MAX_POINTS, TimeSeries

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def counted(seconds: float, waiting: int = 0, oldest: float | None = None) -> TaskStatistics:
    rates = [Rate(minutes=5, completed_per_minute=1, failed_per_minute=2)]
    rates.append(Rate(minutes=1, completed_per_minute=3, failed_per_minute=4))
    return TaskStatistics(
        at=START + timedelta(seconds=seconds),
        counts={TaskStatus.PENDING: waiting, TaskStatus.PROCESSING: 1},
        oldest_pending_seconds=oldest,
        rates=rates,
    )


def test_point_has_the_figures_and_the_shortest_rate() -> None:
    point = TimeSeries().add(counted(0, waiting=7, oldest=1.5))
    assert (point.waiting, point.running, point.oldest_seconds) == (7, 1, 1.5)
    assert (point.completed, point.failed) == (3, 4)
    assert TimeSeries().add(counted(0)).oldest_seconds == 0


def test_line_needs_two_moments_and_the_same_count_is_one() -> None:
    time_series = TimeSeries()
    time_series.add(counted(0))
    time_series.add(counted(0))
    assert time_series.line("waiting") is None
    assert len(time_series.points) == 1


def test_line_goes_from_left_to_right_over_zero() -> None:
    time_series = TimeSeries()
    for seconds, waiting in ((0, 0), (5, 10), (10, 5)):
        time_series.add(counted(seconds, waiting))
    line = time_series.line("waiting")
    assert line is not None
    assert line.path == "M0.0 29.0L50.0 1.0L100.0 15.0"
    assert line.area == line.path + "L100.0 30.0L0.0 30.0Z"
    assert (line.least, line.most) == (0, 10)


def test_an_hour_is_remembered_and_no_more_points_than_it_has() -> None:
    time_series = TimeSeries()
    time_series.add(counted(0))
    time_series.add(counted(3601))
    assert [point.at for point in time_series.points] == [START + timedelta(seconds=3601)]
    for number in range(MAX_POINTS + 5):
        time_series.add(counted(3602 + number / 100))
    assert len(time_series.points) == MAX_POINTS
