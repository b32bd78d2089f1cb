"""SQL of the order in which pending tasks are claimed: by rank, the time of arrival minus a bonus for priority.

The condition on `dispatch_count` is a literal: a partial index serves only statements that repeat its condition.
"""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from ketline.db.engine.clock import after, from_now, now
from ketline.db.engine.planner_hints import checked
from ketline.db.schema.statuses import has_status
from ketline.db.schema.tables import tasks, workers
from ketline.domain.priority import SECONDS_PER_POINT, QueuePosition
from ketline.domain.task import TaskId, TaskStatus

MOST_COUNTED = 10_000
RATE_WINDOW = timedelta(minutes=1)

_NONE = literal_column("0", Integer)
_ENDED = (TaskStatus.COMPLETED, TaskStatus.FAILED)


def rank(submitted_at: Any, scheduled_for: Any, priority: Any) -> ColumnElement[Any]:
    """The rank of a task; a retry does not change it, so a retried task keeps its position."""
    came = case((scheduled_for > submitted_at, scheduled_for), else_=submitted_at)
    return after(came, priority * literal(-SECONDS_PER_POINT, Integer))


def ready(table: Any = tasks) -> ColumnElement[bool]:
    """Whether a task is pending and was dispatched: the queue has a message for each of these."""
    return and_(table.c.dispatch_due_at.is_not(None), table.c.dispatch_count > _NONE)


def overtaken() -> ColumnElement[bool]:
    """Whether a task that overtakes others precedes the row of `tasks` that the statement is about.

    The row is compared with the first of these tasks, which the statement looks up once: a lookup for each row cost
    seven times as much as the rest of a claim.
    """
    other = tasks.alias("other")
    first = (
        select(other.c.rank_at)
        .where(ready(other), other.c.overtakes, other.c.available_at <= now(), other.c.rank_at.is_not(None))
        .order_by(other.c.rank_at)
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(first < tasks.c.rank_at, false())


@cache
def select_best(*, short: bool = False) -> Select[Any]:
    """Selects and locks the next task in turn, skipping those that another transaction has locked.

    With `short`, it selects among the tasks that are not known to be long.
    """
    passed_over = [checked(tasks.c.is_long == false())] if short else []
    return (
        select(tasks.c.task_id)
        .where(
            ready(),  # guard: claim.best_has_message
            tasks.c.available_at <= now(),
            *passed_over,
        )
        .order_by(tasks.c.rank_at, tasks.c.task_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def queue_position_of(connection: Connection, task_id: TaskId) -> QueuePosition | None:
    """Gives a task's position in the queue by one statement; None if it does not wait for a worker."""
    row = connection.execute(_select_queue_position(), {"bound_task_id": task_id}).one_or_none()
    if row is None:
        return None
    slots: int = row.slots or 0
    return QueuePosition(
        at=row.at,
        ahead=row.ahead,
        counted_to_the_end=row.ahead < MOST_COUNTED,
        slots=slots,
        free_slots=max(0, slots - row.busy),
        ended=row.ended,
        window=RATE_WINDOW,
    )


@cache
def _select_queue_position() -> Select[Any]:
    """The time and what was counted, if task `bound_task_id` waits; nothing is counted if it does not."""
    one = tasks.alias("one")
    slots = select(func.sum(workers.c.slots)).where(workers.c.live_until > now())
    columns = {
        "ahead": _count_ahead(one),
        "slots": slots.scalar_subquery(),
        "busy": _count(has_status([TaskStatus.PROCESSING])),
        "ended": _count_ended(),
    }
    waiting = (checked(one.c.current_status == TaskStatus.PENDING), one.c.available_at <= now())
    wanted = one.c.task_id == bindparam("bound_task_id", type_=tasks.c.task_id.type)
    return select(now().label("at"), *(column.label(name) for name, column in columns.items())).where(wanted, *waiting)


def _count_ahead(one: Any) -> ScalarSelect[int]:
    """Counts the tasks that precede `one`, up to a limit, since any client may poll this."""
    # Those of a batch have one rank, and ids that grow.
    same_rank = and_(tasks.c.rank_at == one.c.rank_at, tasks.c.task_id < one.c.task_id)
    comes_before = or_(tasks.c.rank_at < one.c.rank_at, same_rank)
    before = (ready(), tasks.c.rank_at <= one.c.rank_at, comes_before, tasks.c.available_at <= now())
    some = select(literal_column("1")).select_from(tasks).where(*before).limit(MOST_COUNTED).correlate(one).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _count_ended() -> ScalarSelect[int]:
    return _count(and_(has_status(_ENDED), tasks.c.completed_at >= from_now(-RATE_WINDOW.total_seconds())))


def _count(which: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(tasks).where(which).scalar_subquery()
