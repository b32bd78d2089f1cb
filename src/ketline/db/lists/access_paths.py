"""Access paths to the tasks of a list: each scans one index, satisfies some conditions, and may give an order.

This module chooses the path, not the database, whose estimates are wrong for correlated values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, func, literal, select

from ketline.db.engine.planner_hints import has_value
from ketline.db.schema.status_type import status_constant
from ketline.db.schema.statuses import ENDED, has_status
from ketline.db.schema.tables import LISTED_BY_STATUS, task_labels, tasks
from ketline.db.tasks.labels import NAME, TAG
from ketline.domain.lists import TaskFilter
from ketline.domain.task import TaskStatus

_HIGHEST = chr(0x10FFFF)

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPath:
    """The tasks that one index scan finds. `covers` names the conditions of the filter that all of them meet.

    `at` is what orders them along the index, None where nothing does, and `first` the column before it in the index
    where that has to be sorted by as well.
    """

    task_id: Column[Any]
    at: ColumnElement[Any] | None
    first: Column[Any] | None = None
    conditions: Sequence[Condition] = ()
    covers: frozenset[str] = field(default_factory=frozenset)


def conditions_of(which: TaskFilter) -> dict[str, Condition]:
    """The conditions of a filter on a row of `tasks`, by the names that access paths refer to."""
    found = {f"tag {tag}": _has_tag(tag) for tag in which.tags}
    if which.statuses:
        found["status"] = has_status(which.statuses)
    if which.name is not None:
        found["name"] = tasks.c.name == which.name
    if which.name_prefix is not None:
        found["name_prefix"] = func.substr(tasks.c.name, 1, len(which.name_prefix)) == which.name_prefix
    if which.worker_id is not None:
        found["worker"] = tasks.c.lease_owner == which.worker_id
    if which.error_code is not None:
        found["error_code"] = tasks.c.error_code == which.error_code.value
    submitted = within(tasks.c.submitted_at, which.submitted_after, which.submitted_before)
    completed = within(tasks.c.completed_at, which.completed_after, which.completed_before)
    return {**found, **_named("submitted", submitted), **_named("completed", completed)}


def within(at: ColumnElement[Any], after: object, before: object) -> list[Condition]:
    beginning = [] if after is None else [at >= after]
    return beginning if before is None else [*beginning, at < before]


def selective_paths(which: TaskFilter) -> Iterator[AccessPath]:
    """Access paths that may find few tasks; those in the order of submission come first."""
    yield from (_labelled(TAG, tag, f"tag {tag}") for tag in which.tags)
    if which.name is not None:
        yield _labelled(NAME, which.name, "name")
    found = conditions_of(which)
    if which.error_code is not None:
        yield _held(tasks.c.error_code, literal(which.error_code.value), "error_code")
    if which.worker_id is not None:
        yield _held(tasks.c.lease_owner, literal(which.worker_id), "worker")
    if which.name_prefix is not None:
        yield _prefixed(which.name_prefix)
    if "status" in found:
        yield _access_path(None, "status", found["status"])
    if "submitted" in found:
        yield _access_path(None, "submitted", found["submitted"])
    if "completed" in found:
        yield _access_path(None, "completed", found["completed"], has_status(ENDED))


def paths_by_end(which: TaskFilter) -> list[AccessPath]:
    """Paths to all ended tasks, one for each status."""
    statuses = [status for status in ENDED if status in (which.statuses or ENDED)]
    return [
        _access_path(tasks.c.completed_at, "status", has_status([status]), tasks.c.completed_at.is_not(None))
        for status in statuses
    ]


def paths_by_submission(which: TaskFilter) -> list[AccessPath]:
    """One path in the order of submission, or one for each status."""
    ordered = next((path for path in selective_paths(which) if path.at is not None), None)
    if ordered is not None:
        return [ordered]
    if not which.statuses:
        return [AccessPath(task_id=tasks.c.task_id, at=tasks.c.submitted_at)]
    return [_status_path(status) for status in dict.fromkeys(which.statuses)]


def _status_path(status: TaskStatus) -> AccessPath:
    indexed = [] if status is TaskStatus.PROCESSING else [LISTED_BY_STATUS]
    return _held(tasks.c.current_status, status_constant(status), "status", *indexed)


def _held(column: Column[Any], value: ColumnElement[Any], covered: str, *conditions: Condition) -> AccessPath:
    return AccessPath(
        task_id=tasks.c.task_id,
        at=tasks.c.submitted_at,
        first=column,
        conditions=(has_value(column, value), column.is_not(None), *conditions),
        covers=frozenset({covered}),
    )


def _access_path(at: ColumnElement[Any] | None, covered: str, *conditions: Condition) -> AccessPath:
    return AccessPath(task_id=tasks.c.task_id, at=at, conditions=conditions, covers=frozenset({covered}))


def _labelled(kind: str, value: str, covered: str) -> AccessPath:
    return AccessPath(
        task_id=task_labels.c.task_id,
        at=task_labels.c.submitted_at,
        conditions=(task_labels.c.kind == kind, task_labels.c.value == value),
        covers=frozenset({covered}),
    )


def _prefixed(prefix: str) -> AccessPath:
    value = task_labels.c.value
    return AccessPath(
        task_id=task_labels.c.task_id,
        at=None,
        conditions=(task_labels.c.kind == NAME, value >= prefix, value <= prefix + _HIGHEST),
        covers=frozenset({"name_prefix"}),
    )


def _has_tag(tag: str) -> Condition:
    # Not EXISTS, which PostgreSQL may answer for all tasks that have the tag at once.
    labels = task_labels.alias()
    one = select(literal(1)).where(labels.c.task_id == tasks.c.task_id, labels.c.kind == TAG, labels.c.value == tag)
    return one.scalar_subquery() == 1


def _named(name: str, conditions: Sequence[Condition]) -> dict[str, Condition]:
    return {name: and_(*conditions)} if conditions else {}
