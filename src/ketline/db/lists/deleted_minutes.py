"""SQL that keeps tasks in the history that are deleted before their minute is recorded.

`changes.py` calls it where it deletes tasks, and `minutes.py` reads what it writes.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, select

from ketline.db.engine.clock import from_now
from ketline.db.engine.dialect import Dialect, dialect_of
from ketline.db.lists.minutes import COUNTS, LONGEST, RAN, SECONDS, UNRECORDED_FOR, Figures, ran_seconds, waited_seconds
from ketline.db.schema.tables import minute_deletions, tasks
from ketline.domain.operations.history import Minute, minute_of

_KEY = ("minute", "project", "queue")


def recent_figures(connection: Connection, task_ids: Sequence[UUID]) -> Sequence[Figures]:
    """The figures of ended tasks whose minutes may not be recorded yet, as rows for `add_deleted`."""
    times = (waited_seconds().label("waiting_seconds"), ran_seconds().label("running_seconds"))
    columns = (tasks.c.project, tasks.c.queue, tasks.c.current_status, tasks.c.submitted_at, tasks.c.completed_at)
    recent = tasks.c.completed_at >= from_now(-UNRECORDED_FOR.total_seconds())
    rows = connection.execute(select(*columns, *times).where(tasks.c.task_id.in_(task_ids), recent)).all()
    figures: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        _of_minute(figures, row, minute_of(row.submitted_at))["submitted"] += 1
        _add_end(_of_minute(figures, row, minute_of(row.completed_at)), row)
    return list(figures.values())


def add_deleted(connection: Connection, rows: Sequence[Figures]) -> None:
    """Adds to the figures of deleted tasks; as `usage.add_to_deleted`, at the end of the transaction and in order."""
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in _KEY))
    if ordered:
        connection.execute(_add(dialect_of(connection)), [dict(row) for row in ordered])


def delete_recorded(connection: Connection, minute: Minute) -> None:
    """Deletes the figures of minutes before one, which are recorded or will never be."""
    connection.execute(delete(minute_deletions).where(minute_deletions.c.minute < minute))


def _of_minute(figures: dict[tuple[Any, ...], dict[str, Any]], row: Any, minute: Minute) -> dict[str, Any]:
    key = (minute, row.project, row.queue)
    zeros: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), **dict.fromkeys((*SECONDS, *LONGEST), 0.0)}
    return figures.setdefault(key, {**dict(zip(_KEY, key, strict=True)), **zeros})


def _add_end(figures: dict[str, Any], row: Any) -> None:
    figures[row.current_status.value] += 1
    if row.current_status in RAN:
        for name in SECONDS:
            seconds = getattr(row, name) or 0.0
            figures[name] += seconds
            figures[f"longest_{name}"] = max(figures[f"longest_{name}"], seconds)


def _add(dialect: Dialect) -> Any:
    into = dialect.insert(minute_deletions)
    columns, new = minute_deletions.c, into.excluded
    larger = func.max if dialect.name == "sqlite" else func.greatest
    sums = {name: columns[name] + new[name] for name in (*COUNTS, *SECONDS)}
    longest = {name: larger(columns[name], new[name]) for name in LONGEST}
    return into.on_conflict_do_update(index_elements=[columns[name] for name in _KEY], set_={**sums, **longest})
