"""Access paths to the tasks of a list: each scans one index, satisfies some conditions, and may give an order.

`pages.py` searches along them, and `changes.py` finds old tasks by them.

This module chooses the path, not the database, whose estimates are wrong for correlated values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, func, literal, select

from ketline.db.engine.planner_hints import has_value
from ketline.db.schema.status_type import status_constant
from ketline.db.schema.statuses import ENDED, has_status
from ketline.db.schema.tables import LISTED_BY_KIND, LISTED_BY_STATUS, task_labels, tasks
from ketline.db.schema.visibility import all_of
from ketline.db.tasks.labels import NAME, TAG
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.lists import TaskFilter

_HIGHEST = chr(0x10FFFF)

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPath:
    """The tasks that one index scan finds. `covers` names the conditions of the filter that all of them meet.

    `at` is what orders them along the index, None where nothing does, and `first` are the columns before it in the
    index where these have to be sorted by as well.
    """

    task_id: Column[Any]
    at: ColumnElement[Any] | None
    first: Sequence[Column[Any]] = ()
    conditions: Sequence[Condition] = ()
    covers: frozenset[str] = field(default_factory=frozenset)


def conditions_of(which: TaskFilter) -> dict[str, Condition]:
    """The conditions of a filter on a row of `tasks`, by the names that access paths refer to."""
    found = {f"tag {tag}": _has_tag(tag) for tag in which.tags}
    if which.project is not None:
        found["project"] = tasks.c.project == which.project
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
    if which.kind is not None:
        found["kind"] = tasks.c.kind == which.kind.value
    if which.owner is not None:
        found["owner"] = tasks.c.owner == which.owner
    submitted = within(tasks.c.submitted_at, which.submitted_after, which.submitted_before)
    completed = within(tasks.c.completed_at, which.completed_after, which.completed_before)
    return {**found, **_named("submitted", submitted), **_named("completed", completed)}


def within(at: ColumnElement[Any], after: object, before: object) -> list[Condition]:
    beginning = [] if after is None else [at >= after]
    return beginning if before is None else [*beginning, at < before]


def selective_paths(which: TaskFilter) -> Iterator[AccessPath]:
    """Access paths that may find few tasks; those in the order of submission come first."""
    yield from (_labelled(which, TAG, tag, f"tag {tag}") for tag in which.tags)
    if which.name is not None:
        yield _labelled(which, NAME, which.name, "name")
    found = conditions_of(which)
    if which.error_code is not None:
        yield _by_value(which, tasks.c.error_code, literal(which.error_code.value), "error_code")
    if which.kind not in (None, TaskKind.SIMULATE):
        yield _by_value(which, tasks.c.kind, literal(which.kind.value), "kind", LISTED_BY_KIND)
    if which.worker_id is not None:
        yield _by_value(which, tasks.c.lease_owner, literal(which.worker_id), "worker")
    if which.name_prefix is not None:
        yield _prefixed(which, which.name_prefix)
    if "status" in found:
        yield _access_path(which, None, "status", found["status"])
    if "submitted" in found:
        yield _access_path(which, None, "submitted", found["submitted"])
    if "completed" in found:
        yield _access_path(which, None, "completed", found["completed"], has_status(ENDED))


def paths_by_end(which: TaskFilter) -> list[AccessPath]:
    """Paths to all ended tasks, one for each status."""
    statuses = [status for status in ENDED if status in (which.statuses or ENDED)]
    ended = tasks.c.completed_at.is_not(None)
    return [_access_path(which, tasks.c.completed_at, "status", has_status([status]), ended) for status in statuses]


def paths_by_submission(which: TaskFilter) -> list[AccessPath]:
    """One path in the order of submission, or one for each status."""
    ordered = next((path for path in selective_paths(which) if path.at is not None), None)
    if ordered is not None:
        return [ordered]
    if not which.statuses:
        return [_access_path(which, tasks.c.submitted_at, "project")]
    return [_status_path(which, status) for status in dict.fromkeys(which.statuses)]


def _status_path(which: TaskFilter, status: TaskStatus) -> AccessPath:
    indexed = [] if status is TaskStatus.PROCESSING else [LISTED_BY_STATUS]
    return _by_value(which, tasks.c.current_status, status_constant(status), "status", *indexed)


def _by_value(
    which: TaskFilter, column: Column[Any], value: ColumnElement[Any], covered: str, *conditions: Condition
) -> AccessPath:
    return AccessPath(
        task_id=tasks.c.task_id,
        at=tasks.c.submitted_at,
        first=(*_leading(which), column),
        conditions=(*_of_project(which), has_value(column, value), column.is_not(None), *conditions),
        covers=frozenset({covered, "project"}),
    )


def _access_path(which: TaskFilter, at: ColumnElement[Any] | None, covered: str, *conditions: Condition) -> AccessPath:
    return AccessPath(
        task_id=tasks.c.task_id,
        at=at,
        first=_leading(which),
        conditions=(*_of_project(which), *conditions),
        covers=frozenset({covered, "project"}),
    )


def _of_project(which: TaskFilter) -> Sequence[Condition]:
    return () if which.project is None else (all_of(which.project),)  # guard: project.listed


def _leading(which: TaskFilter) -> Sequence[Column[Any]]:
    return () if which.project is None else (tasks.c.project,)


def _labelled(which: TaskFilter, kind: str, value: str, covered: str) -> AccessPath:
    return AccessPath(
        task_id=task_labels.c.task_id,
        at=task_labels.c.submitted_at,
        conditions=(*_label_of_project(which), task_labels.c.kind == kind, task_labels.c.value == value),
        covers=frozenset({covered, "project"}),
    )


def _prefixed(which: TaskFilter, prefix: str) -> AccessPath:
    value = task_labels.c.value
    return AccessPath(
        task_id=task_labels.c.task_id,
        at=None,
        conditions=(
            *_label_of_project(which),
            task_labels.c.kind == NAME,
            value >= prefix,
            value <= prefix + _HIGHEST,
        ),
        covers=frozenset({"name_prefix", "project"}),
    )


def _label_of_project(which: TaskFilter) -> Sequence[Condition]:
    return () if which.project is None else (task_labels.c.project == which.project,)  # guard: project.labelled


def _has_tag(tag: str) -> Condition:
    # Not EXISTS, which PostgreSQL may evaluate for all tasks with the tag at once.
    labels = task_labels.alias()
    one = select(literal(1)).where(labels.c.task_id == tasks.c.task_id, labels.c.kind == TAG, labels.c.value == tag)
    return one.scalar_subquery() == 1


def _named(name: str, conditions: Sequence[Condition]) -> dict[str, Condition]:
    return {name: and_(*conditions)} if conditions else {}
