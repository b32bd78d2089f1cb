"""SQL that reads the history of statistics: sums of recorded minutes over periods; `db/history.py` runs it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    Text,
    exists,
    func,
    literal,
    literal_column,
    select,
)

from ketline.db.lists.minutes import ALL_QUEUES, COUNTS, LONGEST, SECONDS, SERVICE
from ketline.db.schema.tables import minute_figures, minutes
from ketline.domain.operations.history import History, HistoryPoint, HistoryQuery, Minute

_LEVELS = ("waiting", "processing")
_MOST = ("most_waiting", "most_processing")


def read_history(connection: Connection, query: HistoryQuery) -> History:
    """The periods that a query selects.

    The recorded minutes are read first: a minute that is recorded meanwhile is then left out with its figures.
    """
    recorded = connection.execute(_select_recorded(query)).mappings().all()
    figures = {row["period"]: dict(row) for row in connection.execute(_select_figures(query)).mappings()}
    queues = _queues(connection, query)
    return History(points=[_to_point(row, figures.get(row["period"], {}), query) for row in recorded], queues=queues)


def _select_recorded(query: HistoryQuery) -> Select[Any]:
    period = _period(minutes.c.minute, query)
    counted = (func.count().label("minutes"), func.min(minutes.c.workers).label("workers"))
    recorded = select(period, *counted, func.min(minutes.c.slots).label("slots"))
    return recorded.where(*_is_in_range(minutes.c.minute, query)).group_by(period).order_by(period)


def _select_figures(query: HistoryQuery) -> Select[Any]:
    columns = minute_figures.c
    period = _period(columns.minute, query)
    sums = (func.sum(columns[name]).label(name) for name in (*_LEVELS, *COUNTS, *SECONDS))
    most = (func.max(columns[name]).label(f"most_{name}") for name in _LEVELS)
    longest = (func.max(columns[name]).label(name) for name in LONGEST)
    selected = select(period, *sums, *most, *longest).where(_is_of(query), *_is_in_range(columns.minute, query))
    queue = literal(ALL_QUEUES if query.queue is None else query.queue, Text())
    return selected.where(columns.queue == queue).group_by(period)


def _queues(connection: Connection, query: HistoryQuery) -> Sequence[str]:
    """The queues with figures in the range, found one after the other in the key; there are few."""
    found: list[str] = []
    last = ALL_QUEUES
    while True:
        following = select(func.min(minute_figures.c.queue)).where(_is_of(query), minute_figures.c.queue > last)
        queue: str | None = connection.execute(following).scalar_one()
        if queue is None:
            return found
        in_range = _is_in_range(minute_figures.c.minute, query)
        has_some = select(exists().where(_is_of(query), minute_figures.c.queue == queue, *in_range))
        if connection.execute(has_some).scalar_one():
            found.append(queue)
        last = queue


def _is_of(query: HistoryQuery) -> ColumnElement[bool]:
    return minute_figures.c.project == literal(query.project or SERVICE, Text())  # guard: history.project


def _is_in_range(minute: ColumnElement[Any], query: HistoryQuery) -> Sequence[ColumnElement[bool]]:
    return minute >= literal(query.first, Integer()), minute < literal(query.end, Integer())


def _period(minute: ColumnElement[Any], query: HistoryQuery) -> ColumnElement[Any]:
    """The number of the period that a minute is in, counted from 1970 on."""
    # A constant: PostgreSQL does not see that two parameters are one expression.
    return (minute // literal_column(f"{query.step:d}", Integer)).label("period")


def _to_point(recorded: RowMapping, figures: Mapping[str, Any], query: HistoryQuery) -> HistoryPoint:
    number = recorded["minutes"]
    ran = sum(int(figures.get(name, 0)) for name in ("completed", "failed"))
    summed: dict[str, Any] = {name: float(figures.get(name, 0)) / number for name in _LEVELS}
    summed |= {name: int(figures.get(name, 0)) for name in (*_MOST, *COUNTS)}
    if ran:
        summed |= {name: float(figures[name]) / ran for name in SECONDS} | {name: figures[name] for name in LONGEST}
    first = Minute(recorded["period"] * query.step)
    return HistoryPoint(first=first, minutes=number, workers=recorded["workers"], slots=recorded["slots"], **summed)
