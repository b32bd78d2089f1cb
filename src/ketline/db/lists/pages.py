"""SQL of lists: finds the tasks of a page by examining a bounded number of tasks; `catalogue.py` runs it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from ketline.db.engine.types import UtcDateTime
from ketline.db.lists.access_paths import (
    AccessPath,
    Condition,
    conditions_of,
    paths_by_end,
    paths_by_submission,
    selective_paths,
    within,
)
from ketline.db.schema.tables import tasks
from ketline.domain.ids import TaskId
from ketline.domain.tasks.lists import Order, Position, TaskPart, TaskQuery

# A task ends after it is submitted, unless the clock was set back meanwhile.
CLOCK_SLACK = timedelta(minutes=1)
# Far more than arrive between two statements, or are submitted at the same time.
_MAX_AT_ONCE = 10
_LOWEST, _HIGHEST = TaskId(UUID(int=0)), TaskId(UUID(int=2**128 - 1))

_LISTED: Sequence[Column[Any]] = [
    tasks.c.task_id,
    tasks.c.shots,
    tasks.c.seed,
    tasks.c.method,
    tasks.c.memory,
    tasks.c.program_format,
    tasks.c.sampled,
    tasks.c.precision,
    tasks.c.mitigation,
    tasks.c.current_status,
    tasks.c.submitted_at,
    tasks.c.completed_at,
    tasks.c.correlation_id,
    tasks.c.attempt,
    tasks.c.lease_owner,
    tasks.c.error_code,
    tasks.c.error_message,
    tasks.c.error_line,
    tasks.c.error_column,
    tasks.c.name,
    tasks.c.tags,
    tasks.c.scheduled_for,
    tasks.c.priority,
    tasks.c.kind,
    tasks.c.target,
    tasks.c.qir_profile,
    tasks.c.bitcode,
    tasks.c.backend,
    tasks.c.hold,
    tasks.c.released_at,
    tasks.c.rerun_of,
    tasks.c.project,
    tasks.c.owner,
]
_SMALL_PARTS = {TaskPart.METADATA: tasks.c.metadata, TaskPart.PROFILE: tasks.c.profile}

Page = tuple[Sequence[Row[Any]], Position | None]


@dataclass(frozen=True, slots=True)
class Search:
    """Finds a page of a list; it examines about `most` tasks."""

    connection: Connection
    query: TaskQuery
    most: int

    def find(self) -> Page:
        """Return the rows of the page, and the position where the list continues.

        If one of the conditions leaves few tasks, these are fetched and sorted. Otherwise tasks are examined in the
        order of the list, up to a maximum.
        """
        by_end, which = self.query.order.by_end, self.query.which
        paths = paths_by_end(which) if by_end else paths_by_submission(which)
        if not paths:
            return [], None
        unmet = self._unmet({*paths[0].covers, "completed" if by_end else "submitted"})
        if not unmet:
            return self._read_in_order(paths, self.query.limit + 1, unmet)
        if (smallest := self._smallest_path()) is not None:
            return self._read_and_sort(smallest)
        # Determined first, so that tasks that arrive meanwhile do not count as examined.
        end = self._examined_until(paths)
        rows, following = self._read_in_order(paths, _MAX_AT_ONCE * self.most, unmet, end)
        return rows, following or end

    def _examined_until(self, paths: Sequence[AccessPath]) -> Position | None:
        """The time up to which the list can be examined, None for its end: each path reads an equal share of the tasks.

        It selects only times, which indexes contain, so tasks with the same time are read together.
        """
        share, descending = max(1, self.most // len(paths)), self.query.order.descending
        lasts = [self.connection.execute(self._times(path).limit(1).offset(share - 1)).scalar() for path in paths]
        times: list[datetime] = [last for last in lasts if last is not None]
        if not times:
            return None
        return Position(at=max(times), task_id=_LOWEST) if descending else Position(at=min(times), task_id=_HIGHEST)

    def _times(self, path: AccessPath) -> Select[Any]:
        assert path.at is not None
        times = select(path.at).where(*path.conditions, *self._bounds(path, None))
        return times.order_by(*_in_direction([*path.first, path.at], self.query.order))

    def _smallest_path(self) -> AccessPath | None:
        """The access path with the fewest tasks, if all of these can be read."""
        paths = list(selective_paths(self.query.which))
        if not paths:
            # An owner, say, has no index: claims and ends of tasks would write its entries anew.
            return None
        # Not their ids: selecting these would read all those rows.
        some = [_row_for_each_task(path).limit(self.most + 1).subquery() for path in paths]
        counts = [
            select(func.count()).select_from(one).scalar_subquery().label(f"path_{n}") for n, one in enumerate(some)
        ]
        counted = self.connection.execute(select(*counts)).one()
        fewest = min(range(len(paths)), key=counted.__getitem__)
        return paths[fewest] if counted[fewest] <= self.most else None

    def _read_and_sort(self, path: AccessPath) -> Page:
        # Some more, for tasks that arrive between two statements.
        found = (
            select(path.task_id.label("task_id"))
            .where(*path.conditions)
            .limit(_MAX_AT_ONCE * self.most)
            .subquery("found")
        )
        at = tasks.c.completed_at if self.query.order.by_end else tasks.c.submitted_at
        after = _after(self.query.after, self.query.order, at, tasks.c.task_id)
        return self._page_of(found, [*self._unmet(path.covers), *after, at.is_not(None)], at)

    def _read_in_order(
        self, paths: Sequence[AccessPath], limit: int, unmet: Sequence[Condition], end: Position | None = None
    ) -> Page:
        found = self._select_along(paths, limit, end).subquery("found")
        return self._page_of(found, unmet, found.c.at)

    def _page_of(self, found: Subquery, conditions: Sequence[Condition], at: ColumnElement[Any]) -> Page:
        wanted = self.query.parts
        parts = [column if part in wanted else null().label(part) for part, column in _SMALL_PARTS.items()]
        joined = select(*_LISTED, *parts, at.label("at")).join_from(found, tasks, tasks.c.task_id == found.c.task_id)
        limit = self.query.limit
        rows = self.connection.execute(_sort(joined.where(*conditions), self.query.order).limit(limit + 1)).all()
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], Position(at=last.at, task_id=TaskId(last.task_id))

    def _select_along(self, paths: Sequence[AccessPath], limit: int, end: Position | None = None) -> Select[Any]:
        """The first tasks of the list, or those up to `end`, that the access paths reach."""
        return merge_sorted([self._branch(path, end).limit(limit) for path in paths], self.query.order, limit)

    def _branch(self, path: AccessPath, end: Position | None = None) -> Select[Any]:
        return select_along(path, self.query.order, self._bounds(path, end))

    def _bounds(self, path: AccessPath, end: Position | None) -> list[Condition]:
        query, which, at = self.query, self.query.which, path.at
        assert at is not None
        if query.order.by_end:
            bounds = within(at, which.completed_after, which.completed_before)
            bounds += within(at, _shifted(which.submitted_after, -CLOCK_SLACK), None)
        else:
            bounds = within(at, which.submitted_after, which.submitted_before)
            bounds += within(at, None, _shifted(which.completed_before, CLOCK_SLACK))
        after, order = query.after, query.order
        return [*bounds, *_after(after, order, at, path.task_id), *_up_to(end, order, at, path.task_id)]

    def _unmet(self, covered: Collection[str]) -> list[Condition]:
        return [condition for name, condition in conditions_of(self.query.which).items() if name not in covered]


def select_along(path: AccessPath, order: Order, conditions: Sequence[Condition] = ()) -> Select[Any]:
    """Ids and times of the tasks on an ordered access path, in the order of the list."""
    assert path.at is not None
    found = select(path.task_id.label("task_id"), path.at.label("at")).where(*path.conditions, *conditions)
    return found.order_by(*_in_direction([*path.first, path.at, path.task_id], order))


def merge_sorted(branches: Sequence[Select[Any]], order: Order, limit: int) -> Select[Any]:
    """Merges the first rows of several sorted statements in the order of the list."""
    if len(branches) == 1:
        return branches[0]
    merged = union_all(*(select(branch.subquery()) for branch in branches)).subquery()
    return _sort(select(merged.c.task_id, merged.c.at), order).limit(limit)


def _after(
    position: Position | None, order: Order, at: ColumnElement[Any], task_id: ColumnElement[Any]
) -> list[Condition]:
    """The conditions for tasks after a position; the first, on the time alone, is the one that indexes serve."""
    if position is None:
        return []
    time, known = literal(position.at, UtcDateTime), literal(position.task_id, tasks.c.task_id.type)
    if order.descending:
        return [at <= time, or_(at < time, task_id < known)]
    return [at >= time, or_(at > time, task_id > known)]


def _up_to(
    position: Position | None, order: Order, at: ColumnElement[Any], task_id: ColumnElement[Any]
) -> list[Condition]:
    if position is None:
        return []
    time, known = literal(position.at, UtcDateTime), literal(position.task_id, tasks.c.task_id.type)
    if order.descending:
        return [at >= time, or_(at > time, task_id >= known)]
    return [at <= time, or_(at < time, task_id <= known)]


def _row_for_each_task(path: AccessPath) -> Select[Any]:
    """A row for each task on the path, from the table that its conditions are about."""
    return select(literal(1)).select_from(path.task_id.table).where(*path.conditions)


def _shifted(moment: datetime | None, by: timedelta) -> datetime | None:
    """Shift a time; None if the result is out of range, beyond which there are no tasks."""
    try:
        return moment and moment + by
    except OverflowError:
        return None


def _sort(statement: Select[Any], order: Order) -> Select[Any]:
    """Sorts by the columns `at` and `task_id` of the statement."""
    columns = statement.selected_columns
    return statement.order_by(*_in_direction([columns["at"], columns["task_id"]], order))


def _in_direction(keys: Sequence[ColumnElement[Any]], order: Order) -> list[ColumnElement[Any]]:
    return [key.desc() if order.descending else key.asc() for key in keys]
