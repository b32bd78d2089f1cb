"""SQL of held tasks: they are due and available at a time that never comes, until they are released.

Inserts, changes, statistics and the correction of times build conditions with it; `repository.py` runs `release`.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Update, and_, case, false, func, literal, select, update

from ketline.db.engine.clock import later, now
from ketline.db.engine.planner_hints import checked
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.tables import tasks
from ketline.db.schema.visibility import is_of
from ketline.db.tasks.rank import rank
from ketline.domain.access.principals import ProjectName
from ketline.domain.status import TaskStatus

# The last day that both databases and Python know.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)


def is_held() -> ColumnElement[bool]:
    """Whether a task of the statement waits to be released."""
    return and_(func.coalesce(tasks.c.hold, false()), tasks.c.released_at.is_(None))


def runnable_since() -> ColumnElement[Any]:
    """When a task became able to run, its schedule apart: when it was submitted or, if it was held, released."""
    return func.coalesce(tasks.c.released_at, tasks.c.submitted_at)


def never_if(held: ColumnElement[bool], otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time from which a task is available, or due; a held task never is."""
    return case((held, literal(NEVER, UtcDateTime)), else_=otherwise)


def release(task_id: UUID, project: ProjectName) -> Update:
    """Gives a held task the state of one that is submitted now; returns no row for any other task."""
    at = later(tasks.c.scheduled_for, now())
    return (
        update(tasks)
        .where(
            tasks.c.task_id == task_id,
            is_of(project),
            checked(tasks.c.current_status == TaskStatus.PENDING),
            is_held(),  # guard: hold.once
        )
        .values(
            released_at=now(),
            available_at=at,
            dispatch_due_at=at,
            dispatch_count=0,
            rank_at=rank(now(), tasks.c.scheduled_for, tasks.c.priority),
        )
        .returning(tasks.c.released_at)
    )


def select_hold(task_id: UUID, project: ProjectName) -> Select[Any]:
    """Selects the columns that show why `release` returned no row."""
    found = select(tasks.c.current_status, tasks.c.hold, tasks.c.released_at)
    return found.where(tasks.c.task_id == task_id, is_of(project))
