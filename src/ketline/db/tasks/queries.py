"""SQL that reads tasks: one with its history, the later lines of a history, the statuses of many tasks.

The repository and the catalogue run it.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    select,
)

from ketline.db.engine.clock import from_now
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.sizes import stored_size
from ketline.db.schema.tables import status_history, task_labels, tasks
from ketline.db.schema.visibility import is_of
from ketline.db.tasks.labels import TAG
from ketline.domain.access.principals import ProjectName

# When a line is committed, it is at most this old, and its id is at most this far below the highest visible id.
LATE_COMMIT_SECONDS = 10.0
LATE_LINES = 1000

_LARGE = {"result", "profile", "metadata", "inputs", "observables", "noise", "gradient"}
_NOT_SELECTED = {"circuit", "dispatch_due_at", "lease_expires_at", "attempt", "lease_token", "callback_due"}
# Larger inputs, observables and noise are left out, so that polling a large sweep does not read them each time.
MAX_INPUT_BYTES = 64 * 1024

LINE = [
    status_history.c.id.label("line_id"),
    status_history.c.status,
    status_history.c.transitioned_at,
    status_history.c.notes,
    status_history.c.attempt.label("line_attempt"),
    status_history.c.lease_token.label("line_lease_token"),
    status_history.c.worker_id,
    status_history.c.cause,
    status_history.c.duration_seconds,
]


@cache
def select_task() -> Prepared:
    """Selects a row for each line of the history of task `bound_task_id`, if it belongs to `bound_project`.

    Only the first row has the large columns of the task; no row has a result of more than `bound_most_bytes`, or
    inputs, observables and noise of more than `MAX_INPUT_BYTES`.

    A single statement sees one state of the database, and needs no transaction with several round trips.
    """
    # Not by a window: for one, SQLite copies all columns of the task for each line, results of many megabytes too.
    lines = status_history.alias("lines")
    earliest = select(func.min(lines.c.id)).where(lines.c.task_id == bindparam("bound_task_id", type_=Uuid()))
    first = func.coalesce(status_history.c.id, 0) == func.coalesce(earliest.scalar_subquery(), 0)
    size = stored_size(tasks.c.result)
    wanted = {
        "result": and_(first, size <= bindparam("bound_most_bytes", type_=BigInteger())),
        "inputs": and_(first, stored_size(tasks.c.inputs) <= MAX_INPUT_BYTES),
        "observables": and_(first, stored_size(tasks.c.observables) <= MAX_INPUT_BYTES),
        "noise": and_(first, stored_size(tasks.c.noise) <= MAX_INPUT_BYTES),
    }
    columns = [
        case((wanted.get(column.name, first), column)).label(column.name) if column.name in _LARGE else column
        for column in tasks.c
        if column.name not in _NOT_SELECTED
    ]
    return Prepared(
        select(*columns, case((first, size)).label("result_bytes"), tasks.c.attempt, *LINE)
        .join(status_history, status_history.c.task_id == tasks.c.task_id, isouter=True)
        .where(tasks.c.task_id == bindparam("bound_task_id", type_=Uuid()), is_of(None))
        .order_by(status_history.c.id)
    )


def select_result_text(task_id: UUID, project: ProjectName) -> Select[Any]:
    wanted = (tasks.c.task_id == task_id, is_of(project), tasks.c.result.is_not(None))
    return select(cast(tasks.c.result, Text)).where(*wanted)


@cache
def select_lines() -> Select[Any]:
    """Selects the lines of the history of task `bound_task_id` of `bound_project` after line `bound_after`.

    If there is no such line, it selects one empty row; if there is no such task, no row.
    """
    later = and_(
        status_history.c.task_id == tasks.c.task_id,
        status_history.c.id > bindparam("bound_after", type_=BigInteger()),
    )
    return (
        select(*LINE)
        .select_from(tasks.join(status_history, later, isouter=True))
        .where(tasks.c.task_id == bindparam("bound_task_id", type_=Uuid()), is_of(None))
        .order_by(status_history.c.id)
    )


def select_statuses(task_ids: Sequence[UUID]) -> Select[Any]:
    """Selects the statuses of these tasks, of any project."""
    return select(tasks.c.task_id, tasks.c.current_status, tasks.c.attempt).where(tasks.c.task_id.in_(task_ids))


def select_last_line() -> Select[Any]:
    return select(func.coalesce(func.max(status_history.c.id), 0))


def select_recent_line_ids(project: ProjectName, tags: Sequence[str], after: int) -> Select[Any]:
    """Selects the ids, up to `after`, of the recent lines of tasks of a project that have all these tags.

    Ids are assigned before the commit, so a line can become visible after one with a higher id was read.
    """
    line = status_history.c
    recent = line.transitioned_at > from_now(-LATE_COMMIT_SECONDS)
    return select(line.id).where(line.id > after - LATE_LINES, line.id <= after, recent, *_labelled(project, tags))


def select_lines_by_id(line_ids: Sequence[int]) -> Select[Any]:
    line = status_history.c
    return select(line.task_id, *LINE).where(line.id.in_(line_ids)).order_by(line.id)


def select_lines_after(project: ProjectName, tags: Sequence[str], after: int, upto: int, limit: int) -> Select[Any]:
    """Selects up to `limit` lines after `after`, up to `upto`, of tasks of a project that have all these tags."""
    line = status_history.c
    which = (line.id > after, line.id <= upto, *_labelled(project, tags))
    return select(line.task_id, *LINE).where(*which).order_by(line.id).limit(limit)


def select_tags(task_ids: Collection[UUID]) -> Select[Any]:
    """Selects the tags of those of these tasks, of any project, that have some."""
    return select(tasks.c.task_id, tasks.c.tags).where(tasks.c.task_id.in_(task_ids), tasks.c.tags.is_not(None))


def _labelled(project: ProjectName, tags: Sequence[str]) -> Sequence[ColumnElement[bool]]:
    """The conditions on a line of history: its task belongs to the project, and has all these tags."""
    label, of_line = task_labels.c, status_history.c.task_id
    tagged = [
        exists().where(label.task_id == of_line, label.project == project, label.kind == TAG, label.value == tag)
        for tag in sorted(set(tags))
    ]
    return tagged or [exists().where(tasks.c.task_id == of_line, is_of(project))]
