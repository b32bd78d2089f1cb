"""SQL that records the history of statistics: counts the tasks of a minute, and stores the counts.

`db/history.py` runs it. Nothing is written while tasks run.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    union_all,
)

from ketline.db.engine.clock import now, seconds_between
from ketline.db.engine.dialect import dialect_of
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.statuses import ENDED, has_status
from ketline.db.schema.tables import minute_deletions, minute_figures, minutes, tasks, workers
from ketline.db.tasks.hold import runnable_since
from ketline.domain.operations.history import Minute, start_of
from ketline.domain.status import TaskStatus

# In the places of a project and of a queue: the whole service, and all queues.
SERVICE, ALL_QUEUES = "", ""
# Each minute is recorded within two minutes after it began. What is older is recorded, or will never be.
UNRECORDED_FOR = timedelta(minutes=5)

COUNTS = ("submitted", *(status.value for status in ENDED))
SECONDS = ("waiting_seconds", "running_seconds")
LONGEST = ("longest_waiting_seconds", "longest_running_seconds")
# Those of which there are waiting and running times.
RAN = (TaskStatus.COMPLETED, TaskStatus.FAILED)

_LEVELS = ("waiting", "processing")
_SUMS = (*_LEVELS, *COUNTS, *SECONDS)

Figures = Mapping[str, Any]


def count_minute(connection: Connection, minute: Minute) -> Sequence[Figures]:
    """The figures of each project and queue, by one statement: a task that is being deleted counts once."""
    ended = (_select_ended(minute, status) for status in ENDED)
    counted = union_all(_select_unended(), _select_submitted(minute), *ended, _select_deleted(minute))
    columns = counted.subquery().c
    keys = (columns.project, columns.queue)
    sums = (cast(func.sum(columns[name]), Float if name in SECONDS else Integer).label(name) for name in _SUMS)
    longest = (func.max(columns[name]).label(name) for name in LONGEST)
    found = connection.execute(select(*keys, *sums, *longest).group_by(*keys)).mappings()
    return [dict(row) for row in found]


def count_workers(connection: Connection) -> Figures:
    """The numbers of live workers and of their slots."""
    live = (workers.c.live_until > now(), workers.c.last_seen_at <= now())
    slots = func.coalesce(func.sum(workers.c.slots), literal_column("0"))
    counted = select(func.count().label("workers"), cast(slots, Integer).label("slots")).where(*live)
    return dict(connection.execute(counted).mappings().one())


def store_minute(connection: Connection, minute: Minute, live: Figures, figures: Sequence[Figures]) -> bool:
    """Stores a minute with the figures of each project and queue and their sums; False if it is stored already."""
    new = dialect_of(connection).insert(minutes).values(minute=minute, **live)
    if connection.execute(new.on_conflict_do_nothing()).rowcount == 0:
        return False
    rows = [{"minute": minute, **row} for row in with_sums(figures)]
    if rows:
        connection.execute(insert(minute_figures), rows)
    return True


def with_sums(rows: Sequence[Figures]) -> Sequence[Figures]:
    """Figures of each project and queue, with their sums over queues, over projects, and over both."""
    groups: dict[tuple[str, str], list[Figures]] = {}
    for row in rows:
        for project in (row["project"], SERVICE):
            for queue in (row["queue"], ALL_QUEUES):
                groups.setdefault((project, queue), []).append(row)
    return [_sum_of(project, queue, group) for (project, queue), group in groups.items()]


def delete_before(connection: Connection, minute: Minute, limit: int) -> int:
    """Deletes minutes that are older than one, with their figures, and returns their number."""
    old = select(minutes.c.minute).where(minutes.c.minute < minute).order_by(minutes.c.minute).limit(limit)
    numbers = connection.execute(old).scalars().all()
    for table in (minute_figures, minutes):
        connection.execute(delete(table).where(table.c.minute.in_(numbers)))
    return len(numbers)


def waited_seconds() -> ColumnElement[Any]:
    """How long a task waited from when it could run until its last attempt began, NULL if it has had none."""
    since = runnable_since()
    since = case((tasks.c.scheduled_for > since, tasks.c.scheduled_for), else_=since)
    return _not_negative(seconds_between(since, tasks.c.claimed_at))


def ran_seconds() -> ColumnElement[Any]:
    """How long the last attempt of a task ran that ended."""
    return _not_negative(seconds_between(tasks.c.claimed_at, tasks.c.completed_at))


def _select_unended() -> Select[Any]:
    """Counts as `statistics.py` does the tasks of each queue."""
    waits = and_(has_status([TaskStatus.PENDING]), tasks.c.available_at <= now())
    processing = has_status([TaskStatus.PROCESSING])
    levels = {"waiting": func.count().filter(waits), "processing": func.count().filter(processing)}
    return _select_figures(levels).where(has_status([TaskStatus.PENDING, TaskStatus.PROCESSING]))


def _select_submitted(minute: Minute) -> Select[Any]:
    return _select_figures({"submitted": func.count()}).where(*_is_in(tasks.c.submitted_at, minute))


def _select_ended(minute: Minute, status: TaskStatus) -> Select[Any]:
    ended = _select_times(minute, status).subquery().c
    figures: dict[str, ColumnElement[Any]] = {status.value: func.count()}
    if status in RAN:
        zero: ColumnElement[Any] = literal_column("0")
        figures |= {name: func.coalesce(func.sum(ended[name]), zero) for name in SECONDS}
        figures |= {f"longest_{name}": func.coalesce(func.max(ended[name]), zero) for name in SECONDS}
    return _select_figures(figures, ended)


def _select_times(minute: Minute, status: TaskStatus) -> Select[Any]:
    """Selects the tasks that ended in a minute with one status, in the order of their index.

    Sorted, and for one status, because PostgreSQL may plan it while there are no tasks, when other indexes serve as
    well, and would then read all that ever ended.
    """
    times = (waited_seconds().label("waiting_seconds"), ran_seconds().label("running_seconds"))
    selected = select(tasks.c.project, tasks.c.queue, *times)
    selected = selected.where(has_status([status]), *_is_in(tasks.c.completed_at, minute))
    return selected.order_by(tasks.c.completed_at)


def _select_figures(figures: Mapping[str, ColumnElement[Any]], columns: Any = tasks.c) -> Select[Any]:
    """Selects figures of tasks by project and queue, and 0 for all others."""
    zero: ColumnElement[Any] = literal_column("0")
    named = (figures.get(name, zero).label(name) for name in (*_SUMS, *LONGEST))
    return select(columns.project, columns.queue, *named).group_by(columns.project, columns.queue)


def _select_deleted(minute: Minute) -> Select[Any]:
    deleted = minute_deletions.c
    zero: ColumnElement[Any] = literal_column("0")
    levels = (zero.label(name) for name in _LEVELS)
    others = (deleted[name] for name in (*COUNTS, *SECONDS, *LONGEST))
    return select(deleted.project, deleted.queue, *levels, *others).where(deleted.minute == minute)


def _is_in(column: ColumnElement[Any], minute: Minute) -> Sequence[ColumnElement[bool]]:
    first, end = (literal(start_of(number), UtcDateTime) for number in (minute, minute + 1))
    return column >= first, column < end


def _not_negative(seconds: ColumnElement[Any]) -> ColumnElement[Any]:
    """Seconds between two moments of which the clock may have been set back."""
    return case((seconds < 0, literal_column("0")), else_=seconds)


def _sum_of(project: str, queue: str, rows: Sequence[Figures]) -> Figures:
    sums = {name: sum(row[name] for row in rows) for name in _SUMS}
    longest = {name: max(row[name] for row in rows) for name in LONGEST}
    return {"project": project, "queue": queue, **sums, **longest}
