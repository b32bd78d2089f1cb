"""SQL of the order in which the pending tasks of a project are claimed: by rank, the time of arrival less a bonus.

The bonus is for priority; `turns` chooses between projects.

The condition on `dispatch_count` is a literal: a partial index serves only statements that repeat its condition.
"""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    Text,
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
from ketline.db.schema.visibility import is_of
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.priority import SECONDS_PER_POINT, QueuePosition
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS

MAX_COUNTED = 10_000
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


def bound_queue() -> BindParameter[str]:
    return bindparam("bound_queue", type_=Text())


def in_queue(table: Any = tasks) -> ColumnElement[bool]:
    """Whether a task travels on the queue `bound_queue`."""
    condition: ColumnElement[bool] = table.c.queue == bound_queue()
    return condition


def overtaken(project: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a task of queue `bound_queue` that overtakes others precedes the row that the statement is about.

    The row of `tasks` is compared with the first of these tasks of one project, which the statement looks up once: a
    lookup for each row cost seven times as much as the rest of a claim.
    """
    other = tasks.alias("other")
    first = (
        select(other.c.rank_at)
        .where(
            in_queue(other),
            other.c.project == project,
            ready(other),
            other.c.overtakes,
            other.c.available_at <= now(),
            other.c.rank_at.is_not(None),
        )
        .order_by(other.c.rank_at)
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(first < tasks.c.rank_at, false())


@cache
def select_best(*, short: bool = False) -> Select[Any]:
    """Selects and locks the first task of `bound_project` on queue `bound_queue`, skipping those locked by others.

    With `short`, it selects among the tasks that are not known to be long.
    """
    passed_over = [checked(tasks.c.is_long == false())] if short else []
    return (
        select(tasks.c.task_id)
        .where(
            in_queue(),  # guard: claim.best_queue
            tasks.c.project == bindparam("bound_project", type_=Text()),  # guard: claim.best_project
            ready(),  # guard: claim.best_has_message
            tasks.c.available_at <= now(),
            *passed_over,
        )
        .order_by(tasks.c.rank_at, tasks.c.task_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def queue_position_of(connection: Connection, task_id: TaskId, project: ProjectName) -> QueuePosition | None:
    """Gives a task's position among those of its project, by one statement; None if it does not wait for a worker."""
    values = {"bound_task_id": task_id, "bound_project": project}
    row = connection.execute(_select_queue_position(), values).one_or_none()
    if row is None:
        return None
    slots: int = row.slots or 0
    return QueuePosition(
        at=row.at,
        ahead=row.ahead,
        counted_to_the_end=row.ahead < MAX_COUNTED,
        slots=slots,
        free_slots=max(0, slots - row.busy),
        ended=row.ended,
        window=RATE_WINDOW,
    )


@cache
def _select_queue_position() -> Select[Any]:
    """The time and what was counted, if task `bound_task_id` waits; nothing is counted if it does not."""
    one = tasks.alias("one")
    conversions = case((one.c.queue == CONVERSIONS.name, workers.c.conversion_slots), else_=0)
    slots = case((one.c.queue == SIMULATIONS.name, workers.c.slots), else_=conversions)
    # A worker runs any number of tasks on other backends, so that there is nothing to estimate.
    all_slots = select(func.sum(slots)).where(workers.c.live_until > now()).correlate(one)
    columns = {
        "ahead": _count_ahead(one),
        "slots": all_slots.scalar_subquery(),
        "busy": _count(has_status([TaskStatus.PROCESSING]), one),
        "ended": _count_ended(one),
    }
    waiting = (checked(one.c.current_status == TaskStatus.PENDING), one.c.available_at <= now(), is_of(None, one))
    wanted = one.c.task_id == bindparam("bound_task_id", type_=tasks.c.task_id.type)
    return select(now().label("at"), *(column.label(name) for name, column in columns.items())).where(wanted, *waiting)


def _count_ahead(one: Any) -> ScalarSelect[int]:
    """Counts the tasks that precede `one`, up to a limit, since any client may poll this."""
    # Those of a batch have one rank, and ids that grow.
    same_rank = and_(tasks.c.rank_at == one.c.rank_at, tasks.c.task_id < one.c.task_id)
    comes_before = or_(tasks.c.rank_at < one.c.rank_at, same_rank)
    before = (
        tasks.c.queue == one.c.queue,
        tasks.c.project == one.c.project,
        ready(),
        tasks.c.rank_at <= one.c.rank_at,
        comes_before,
        tasks.c.available_at <= now(),
    )
    some = select(literal_column("1")).select_from(tasks).where(*before).limit(MAX_COUNTED).correlate(one).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _count_ended(one: Any) -> ScalarSelect[int]:
    return _count(and_(has_status(_ENDED), tasks.c.completed_at >= from_now(-RATE_WINDOW.total_seconds())), one)


def _count(which: ColumnElement[bool], one: Any) -> ScalarSelect[int]:
    same_queue = checked(tasks.c.queue == one.c.queue)
    same_project = checked(tasks.c.project == one.c.project)
    return (
        select(func.count()).select_from(tasks).where(which, same_queue, same_project).correlate(one).scalar_subquery()
    )
