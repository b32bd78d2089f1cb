"""SQL of the order in which waiting tasks are taken: by rank, the time a task came less what its priority is worth.

The condition on `dispatch_count` is written out as a literal: an index on some of the rows is only used where the
database can see that those are meant.
"""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
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
from ketline.domain.priority import SECONDS_PER_POINT, QueuePlace
from ketline.domain.task import TaskId, TaskStatus

MOST_COUNTED = 10_000
RATE_WINDOW = timedelta(minutes=1)

_NONE = literal_column("0", Integer)
_ENDED = (TaskStatus.COMPLETED, TaskStatus.FAILED)


def rank(submitted_at: Any, scheduled_for: Any, priority: Any) -> ColumnElement[Any]:
    """The rank of a task; it stays what it is while the task is tried again, so that a retried task keeps its place."""
    came = case((scheduled_for > submitted_at, scheduled_for), else_=submitted_at)
    return after(came, priority * literal(-SECONDS_PER_POINT, Integer))


def ready(table: Any = tasks) -> ColumnElement[bool]:
    """Pending tasks that were put on the queue: there is a message for each of them."""
    return and_(table.c.dispatch_due_at.is_not(None), table.c.dispatch_count > _NONE)


def overtaken() -> ColumnElement[bool]:
    """Whether a task that may comes before the row of `tasks` that the statement is about.

    It is compared with the first of those, which the statement looks up once: to look for each row whether there is one
    cost seven times as much as all else that a claim does.
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
def select_best() -> Select[Any]:
    """The task to take next, locked; without those that somebody else is just taking."""
    return (
        select(tasks.c.task_id)
        .where(
            ready(),  # guard: claim.best_has_message
            tasks.c.available_at <= now(),
        )
        .order_by(tasks.c.rank_at, tasks.c.task_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def place_of(connection: Connection, task_id: TaskId) -> QueuePlace | None:
    """Where a task stands in the queue, None where it does not wait for a worker."""
    row = connection.execute(_select_rank(), {"asked_task_id": task_id}).one_or_none()
    if row is None:
        return None
    asked = {"asked_rank": row.rank_at, "asked_task_id": task_id}
    ahead: int = connection.execute(_count_ahead(), asked).scalar_one()
    slots: int = connection.execute(select(func.sum(workers.c.slots)).where(workers.c.live_until > now())).scalar() or 0
    busy: int = connection.execute(_count(has_status([TaskStatus.PROCESSING]))).scalar_one()
    ended: int = connection.execute(_count_ended()).scalar_one()
    return QueuePlace(
        at=row.at,
        ahead=ahead,
        counted_to_the_end=ahead < MOST_COUNTED,
        slots=slots,
        free_slots=max(0, slots - busy),
        ended=ended,
        window=RATE_WINDOW,
    )


@cache
def _select_rank() -> Select[Any]:
    waiting = (checked(tasks.c.current_status == TaskStatus.PENDING), tasks.c.available_at <= now())
    at = now().label("at")
    return select(tasks.c.rank_at, at).where(tasks.c.task_id == _asked("task_id", tasks.c.task_id.type), *waiting)


@cache
def _count_ahead() -> Select[Any]:
    """No further than so many: it is asked for by everybody who waits."""
    rank, task_id = _asked("rank", tasks.c.rank_at.type), _asked("task_id", tasks.c.task_id.type)
    # Those of a batch have one rank, and ids that grow.
    comes_before = or_(tasks.c.rank_at < rank, and_(tasks.c.rank_at == rank, tasks.c.task_id < task_id))
    before = (ready(), tasks.c.rank_at <= rank, comes_before, tasks.c.available_at <= now())
    some = select(literal_column("1")).select_from(tasks).where(*before).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(some)


@cache
def _count_ended() -> Select[Any]:
    return _count(and_(has_status(_ENDED), tasks.c.completed_at >= from_now(-RATE_WINDOW.total_seconds())))


def _count(which: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(tasks).where(which)


def _asked(name: str, kind: Any) -> Any:
    return bindparam(f"asked_{name}", type_=kind)
