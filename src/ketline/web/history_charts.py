"""The charts of the history of statistics on the system page."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from ketline.schemas.history import MINUTE_SECONDS, HistoryPointView, HistoryView
from ketline.web.chart import Chart, Series, Span, count_chart, duration_chart

Value = Callable[[HistoryPointView], float | None]


def history_charts(history: HistoryView) -> Sequence[Chart]:
    """The charts, of which that of the workers is for operators."""
    span = Span(start=history.start, end=history.end, step=timedelta(seconds=history.step_seconds))

    def series(label: str, value: Value) -> Series:
        return Series(label, [(point.at, value(point)) for point in history.points])

    waiting = [series("mean", lambda point: point.waiting), series("most", lambda point: point.most_waiting)]
    running = [series("mean", lambda point: point.processing), series("most", lambda point: point.most_processing)]
    # The mean of one minute is its only value.
    shown = 1 if history.step_seconds == MINUTE_SECONDS else 2
    rates = [series(name, _per_minute(name)) for name in ("submitted", "completed", "failed", "cancelled")]
    charts = [
        count_chart("Waiting tasks", span, waiting[:shown]),
        count_chart("Running tasks", span, running[:shown]),
        count_chart("Tasks per minute", span, rates[:2]),
        count_chart("Failed and cancelled tasks per minute", span, rates[2:]),
        duration_chart("Waiting time", span, _times("waiting_seconds", series)),
        duration_chart("Running time", span, _times("running_seconds", series)),
    ]
    if any(point.workers is not None for point in history.points):
        workers = [series("workers", lambda point: point.workers), series("slots", lambda point: point.slots)]
        charts.append(count_chart("Live workers and their slots", span, workers))
    return charts


def _times(name: str, series: Callable[[str, Value], Series]) -> Sequence[Series]:
    return [
        series("mean", lambda point: _value(point, name)),
        series("longest", lambda point: _value(point, f"longest_{name}")),
    ]


def _per_minute(name: str) -> Value:
    return lambda point: float(getattr(point, name)) / point.minutes


def _value(point: HistoryPointView, name: str) -> float | None:
    value: float | None = getattr(point, name)
    return value
