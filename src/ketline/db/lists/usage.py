"""SQL of usage: sums over the tasks that are stored, and over those that were deleted.

`db/usage.py` reads them; `changes.py` records here what the tasks took that it deletes. Nothing is written while tasks
run.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    RowMapping,
    Select,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.types import TypeEngine

from ketline.db.engine.dialect import Dialect, dialect_of
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.functions import points_in, utc_day
from ketline.db.schema.statuses import ENDED, has_status
from ketline.db.schema.tables import tasks, usage_days
from ketline.db.schema.visibility import all_of, is_of
from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.access.usage import Usage, UsageGroup, UsageQuery, UsageRow
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind

# In the primary key of `usage_days` there is no NULL: the owner of tasks without one.
_NOBODY = ""
_KEY = ("project", "day", "owner")
_SUMS = ("completed", "failed", "cancelled", "shots", "simulating_seconds", "processor_seconds")
_LARGEST = "memory_bytes"


def sums_of(connection: Connection, query: UsageQuery) -> Sequence[UsageRow]:
    """The usage that a query selects, by one statement: a task that is being deleted counts once."""
    parts = union_all(_of_stored(query), _of_deleted(query)).subquery()
    keys = [parts.c.project, *(parts.c[group.value] for group in UsageGroup if group in query.groups)]
    statement = select(*keys, *_total(parts.c)).group_by(*keys).order_by(*keys)
    return [_to_row(row) for row in connection.execute(statement).mappings()]


def usage_of(connection: Connection, task_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The usage of ended tasks, as rows for `add_to_deleted`."""
    statement = _sums_of_tasks().where(tasks.c.task_id.in_(task_ids))
    return connection.execute(statement).mappings().all()


def add_to_deleted(connection: Connection, rows: Sequence[RowMapping]) -> None:
    """Adds what tasks took to that of all deleted ones.

    It is the last statement of a transaction that deletes tasks, since another one that adds to the same row waits for
    its end. All add in the same order, so that none waits in a circle.
    """
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in _KEY))
    if ordered:
        connection.execute(_add(dialect_of(connection)), [dict(row) for row in ordered])


def _add(dialect: Dialect) -> Any:
    into = dialect.insert(usage_days)
    new = into.excluded
    largest = func.max if dialect.name == "sqlite" else func.greatest
    # SQLite's max() is NULL if any of its arguments is.
    memory = largest(*(func.coalesce(one, 0) for one in (usage_days.c.memory_bytes, new.memory_bytes)))
    added = {name: usage_days.c[name] + new[name] for name in _SUMS}
    return into.on_conflict_do_update(
        index_elements=[usage_days.c[name] for name in _KEY], set_={**added, _LARGEST: func.nullif(memory, 0)}
    )


def _of_stored(query: UsageQuery) -> Select[Any]:
    statement = _sums_of_tasks()
    if query.project is not None:
        statement = statement.where(all_of(query.project))  # guard: usage.project
    if query.first_day is not None:
        statement = statement.where(tasks.c.completed_at >= _start_of(query.first_day))
    if query.last_day is not None:
        statement = statement.where(tasks.c.completed_at < _start_of(query.last_day + timedelta(days=1)))
    return statement


def _of_deleted(query: UsageQuery) -> Select[Any]:
    statement = select(*(usage_days.c[name] for name in (*_KEY, *_SUMS, _LARGEST)))
    if query.project is not None:
        statement = statement.where(is_of(query.project, usage_days))
    if query.first_day is not None:
        statement = statement.where(usage_days.c.day >= query.first_day)
    if query.last_day is not None:
        statement = statement.where(usage_days.c.day <= query.last_day)
    return statement


def _start_of(day: date) -> ColumnElement[Any]:
    return literal(datetime.combine(day, time(), UTC), UtcDateTime)


def _sums_of_tasks() -> Select[Any]:
    """Sums over ended tasks by project, day and owner, in the columns of `usage_days`."""
    owner = func.coalesce(tasks.c.owner, literal_column(f"'{_NOBODY}'"))
    keys = {"project": tasks.c.project, "day": utc_day(tasks.c.completed_at), "owner": owner}
    columns = {
        **keys,
        **{status.value: func.count().filter(has_status([status])) for status in ENDED},
        "shots": _sum(case((_is_run(), tasks.c.shots * points_in(tasks.c.inputs)), else_=0), BigInteger()),
        "simulating_seconds": _sum(_profiled("simulating_seconds"), Float()),
        "processor_seconds": _sum(_profiled("processor_seconds"), Float()),
        _LARGEST: cast(func.max(_profiled(_LARGEST)), BigInteger),
    }
    assert tuple(columns) == (*_KEY, *_SUMS, _LARGEST)  # the order in which sums are united
    labelled = (column.label(name) for name, column in columns.items())
    return select(*labelled).where(has_status(ENDED)).group_by(*keys.values())


def _is_run() -> ColumnElement[bool]:
    """Whether a task has run its shots; a conversion has none."""
    return has_status([TaskStatus.COMPLETED]) & (tasks.c.kind != literal_column(f"'{TaskKind.CONVERT}'"))


def _profiled(name: str) -> ColumnElement[Any]:
    """A number of a profile, NULL if the task has no profile, or one without it."""
    number: ColumnElement[Any] = tasks.c.profile[name].as_float()
    return number


def _sum(column: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    return cast(func.coalesce(func.sum(column), 0), kind)


def _total(columns: ReadOnlyColumnCollection[str, Any]) -> Sequence[ColumnElement[Any]]:
    kinds = {name: usage_days.c[name].type for name in _SUMS}
    sums = [_sum(columns[name], kind).label(name) for name, kind in kinds.items()]
    return [*sums, func.max(columns[_LARGEST]).label(_LARGEST)]


def _to_row(row: RowMapping) -> UsageRow:
    return UsageRow(
        project=ProjectName(row["project"]),
        day=row.get("day"),
        owner=Owner(row["owner"]) if row.get("owner", _NOBODY) != _NOBODY else None,
        usage=Usage(**{name: row[name] for name in (*_SUMS, _LARGEST)}),
    )
