"""SQL that changes and deletes tasks, single ones or old ones; `catalogue.py` runs it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Update,
    and_,
    delete,
    literal,
    or_,
    select,
    update,
)

from ketline.db.engine.clock import from_now, later, now
from ketline.db.engine.planner_hints import checked
from ketline.db.engine.types import UtcDateTime
from ketline.db.lists.access_paths import paths_by_end
from ketline.db.lists.deleted_minutes import add_deleted, recent_figures
from ketline.db.lists.pages import merge_sorted, select_along
from ketline.db.lists.usage import add_to_deleted, usage_of
from ketline.db.schema.spec import SPEC_COLUMNS
from ketline.db.schema.statuses import ENDED, has_status
from ketline.db.schema.tables import idempotency_keys, noise_contents, status_history, task_labels, tasks
from ketline.db.schema.visibility import is_of
from ketline.db.tasks.hold import is_held, never_if, runnable_since
from ketline.db.tasks.labels import NAME, TAG, labels_of, write_labels
from ketline.db.tasks.quotas import count_deleted
from ketline.db.tasks.rank import rank
from ketline.db.webhooks.messages import make_deliveries_of
from ketline.domain.access.principals import ProjectName
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import WHILE_PENDING, Changeable, Order, Position, TaskChange, TaskFilter

_KINDS: Mapping[Changeable, str] = {Changeable.NAME: NAME, Changeable.TAGS: TAG}


def change_task(connection: Connection, project: ProjectName, task_id: UUID, change: TaskChange) -> bool:
    """Changes a task and its labels; False if it is not of this project or its status forbids the change."""
    row = connection.execute(_update(project, task_id, change)).one_or_none()
    if row is None:
        return False
    kinds = [kind for field, kind in _KINDS.items() if field in change.fields]
    if kinds:
        old = (task_labels.c.task_id == task_id, task_labels.c.kind.in_(kinds))
        connection.execute(delete(task_labels).where(*old))
    labels = [label for label in labels_of(change.labels) if label[0] in kinds]
    write_labels(connection, task_id, row.submitted_at, project, labels)
    return True


def select_changeable(task_id: UUID, project: ProjectName) -> Select[Any]:
    """Selects a task's status and all its columns that can be changed."""
    changeable = (tasks.c[field.value] for field in Changeable)
    return select(tasks.c.current_status, *changeable).where(tasks.c.task_id == task_id, is_of(project))


def is_made(change: TaskChange, row: Row[Any]) -> bool:
    """Whether a row of `select_changeable` has all the new values already."""
    return all(getattr(row, name) == value for name, value in _values(change).items())


def select_spec(task_id: UUID, project: ProjectName) -> Select[Any]:
    """The spec of a task, and as `stored_noise` the text of its noise, if that is stored by its digest."""
    stored = tasks.outerjoin(noise_contents, noise_contents.c.digest == tasks.c.noise_digest)
    columns = (*SPEC_COLUMNS, noise_contents.c.content.label("stored_noise"))
    return select(*columns).select_from(stored).where(tasks.c.task_id == task_id, is_of(project))


def delete_tasks(connection: Connection, task_ids: Sequence[UUID]) -> None:
    """Deletes ended tasks, which are locked, with their history and keys; their labels are deleted by cascade.

    What they took remains in the sums of usage, and of quotas, and they remain in the history of statistics. Messages
    about them are still delivered.
    """
    make_deliveries_of(connection, task_ids)  # guard: callback.deleted
    count_deleted(connection, task_ids)  # guard: quota.deleted
    used, recent = usage_of(connection, task_ids), recent_figures(connection, task_ids)
    for column in (status_history.c.task_id, idempotency_keys.c.task_id, tasks.c.task_id):
        connection.execute(delete(column.table).where(column.in_(task_ids)))
    add_to_deleted(connection, used)  # guard: usage.deleted
    add_deleted(connection, recent)  # guard: history.deleted


def select_older(age: timedelta, limit: int) -> Select[Any]:
    """Selects and locks tasks that ended longer ago than `age`, skipping those that are locked already."""
    return _to_delete(tasks.c.completed_at < from_now(-age.total_seconds()), limit)


def select_last_kept(keep: int) -> Select[Any]:
    """Selects the task that is `keep`th from the last that ended; no row if there are fewer."""
    branches = [select_along(path, Order.LAST_ENDED_FIRST).limit(keep) for path in paths_by_end(TaskFilter())]
    return merge_sorted(branches, Order.LAST_ENDED_FIRST, keep).limit(1).offset(keep - 1)


def select_before(last_kept: Position, limit: int) -> Select[Any]:
    """Selects and locks tasks that ended before the one that `select_last_kept` found."""
    at, task_id = literal(last_kept.at, UtcDateTime), literal(last_kept.task_id, tasks.c.task_id.type)
    ended, known = tasks.c.completed_at, tasks.c.task_id
    return _to_delete(and_(ended <= at, or_(ended < at, known < task_id)), limit)


def _to_delete(which: ColumnElement[bool], limit: int) -> Select[Any]:
    ended = has_status(ENDED)
    return select(tasks.c.task_id).where(ended, which).limit(limit).with_for_update(skip_locked=True)


def _update(project: ProjectName, task_id: UUID, change: TaskChange) -> Update:
    statement = update(tasks).where(tasks.c.task_id == task_id, is_of(project))
    changed = _values(change)
    if WHILE_PENDING & change.fields:
        statement = statement.where(checked(tasks.c.current_status == TaskStatus.PENDING))  # guard: change.pending
        changed["rank_at"] = _rank(change)
    if Changeable.PRIORITY in change.fields and change.priority > 0:
        changed["overtakes"] = True
    if Changeable.SCHEDULED_FOR in change.fields:
        # If the task already has a message on the queue, it arrives too early, and cannot lead to a claim.
        at = later(literal(change.scheduled_for, UtcDateTime), now())
        at = never_if(is_held(), at)  # guard: hold.change
        changed |= {"available_at": at, "dispatch_due_at": at, "dispatch_count": 0}  # guard: change.dispatch
    return statement.values(changed).returning(tasks.c.submitted_at)


def _rank(change: TaskChange) -> ColumnElement[Any]:
    scheduled_for: ColumnElement[Any] = tasks.c.scheduled_for
    if Changeable.SCHEDULED_FOR in change.fields:
        scheduled_for = literal(change.scheduled_for, UtcDateTime)
    priority: ColumnElement[Any] = tasks.c.priority
    if Changeable.PRIORITY in change.fields:
        priority = literal(change.priority, Integer)
    return rank(runnable_since(), scheduled_for, priority)


def _values(change: TaskChange) -> dict[str, Any]:
    """New values of columns."""
    values: dict[Changeable, Any] = {
        Changeable.NAME: change.labels.name,
        Changeable.TAGS: list(change.labels.tags) or None,
        Changeable.METADATA: dict(change.labels.metadata) or None,
        Changeable.SCHEDULED_FOR: change.scheduled_for,
        Changeable.PRIORITY: change.priority,
    }
    return {field.value: value for field, value in values.items() if field in change.fields}
