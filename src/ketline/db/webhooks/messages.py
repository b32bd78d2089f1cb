"""Makes deliveries for tasks that have ended; `deliveries.py` runs it at intervals, and deletions before they delete.

However a task ends, whichever version of the service ends it, the statement sets `completed_at`, and the task is then
in the index of those whose deliveries are to be made. `callback_due` is cleared in the transaction that stores the
delivery, so that there is one delivery for each task.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, select, update

from ketline.db.engine.clock import from_now, now
from ketline.db.schema.tables import deliveries, projects, tasks
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import MAX_DELIVERY_TIME, DeliveryState, EndedMessage

# The condition that a task has ended and its delivery is still to be made.
IS_DUE = and_(tasks.c.callback_due, tasks.c.completed_at.is_not(None))


def make_deliveries(connection: Connection, limit: int) -> int:
    """Makes deliveries for up to `limit` tasks that have ended; gives for how many tasks."""
    return _make(connection, select_due().order_by(tasks.c.completed_at).limit(limit))


def make_deliveries_of(connection: Connection, task_ids: Sequence[UUID]) -> None:
    """Makes the deliveries of those of these tasks, which are locked, that have none yet."""
    _make(connection, select_due(tasks.c.task_id.in_(task_ids)))


def _make(connection: Connection, due: Select[Any]) -> int:
    rows = connection.execute(due).all()
    # A project may have lost its callback since the task was submitted.
    made = [_values(row) for row in rows if row.url is not None]
    if made:
        connection.execute(insert(deliveries).values(made))
    if rows:
        ended = tasks.c.task_id.in_([row.task_id for row in rows])
        connection.execute(update(tasks).where(ended).values(callback_due=False))  # guard: callback.once
    return len(rows)


def select_due(*which: ColumnElement[bool]) -> Select[Any]:
    """Selects and locks ended tasks whose deliveries are to be made, skipping those that are locked already."""
    return (
        select(
            tasks.c.task_id,
            tasks.c.project,
            tasks.c.current_status,
            tasks.c.submitted_at,
            tasks.c.completed_at,
            tasks.c.correlation_id,
            tasks.c.owner,
            tasks.c.name,
            tasks.c.tags,
            tasks.c.error_code,
            func.coalesce(tasks.c.callback, projects.c.callback).label("url"),
        )
        .join(projects, projects.c.name == tasks.c.project, isouter=True)
        .where(IS_DUE, *which)
        .with_for_update(skip_locked=True, of=tasks)
    )


def _values(row: Row[Any]) -> dict[str, Any]:
    message = EndedMessage(
        task_id=TaskId(row.task_id),
        project=ProjectName(row.project),
        status=row.current_status,
        submitted_at=row.submitted_at,
        completed_at=row.completed_at,
        correlation_id=row.correlation_id,
        owner=row.owner,
        name=row.name,
        tags=row.tags or (),
        error_code=row.error_code,
    )
    return {
        "delivery_id": uuid4(),
        "task_id": row.task_id,
        "project": row.project,
        "event": message.event,
        "url": row.url,
        "host": urlsplit(row.url).netloc,
        "body": message.body(),
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "created_at": now(),
        "next_at": now(),
        "give_up_at": from_now(MAX_DELIVERY_TIME.total_seconds()),
    }
