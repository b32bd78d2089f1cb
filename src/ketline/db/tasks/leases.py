"""SQL of leases that are over, and of times that a step of the database's clock has made wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    case,
    false,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from ketline.db.engine.clock import doubling, from_now, now
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.rows import attempt_columns, to_reaped
from ketline.db.schema.tables import status_history, tasks
from ketline.db.tasks.dispatch import REDISPATCH_DOUBLINGS
from ketline.db.tasks.retry import delay_seconds_after_expiry, next_state
from ketline.db.tasks.statements import LEASE_LOST
from ketline.domain.leases import Expiry, Outage
from ketline.domain.retry import RetryPolicy
from ketline.domain.task import FailureCode, Lease, Reaped, TaskStatus

DATABASE_OUTAGE = "database_outage"
# More leases without end than this are looked at in the next rounds.
MOST_DISTANT = 1000

_PROCESSING = tasks.c.current_status == TaskStatus.PROCESSING
_REAPED = (
    tasks.c.task_id,
    tasks.c.attempt,
    tasks.c.correlation_id,
    tasks.c.lease_token,
    tasks.c.lease_owner,
    tasks.c.current_status,
    tasks.c.claimed_at,
    now().label("at"),
)


def select_survey(beyond: timedelta) -> Select[Any]:
    """The database's clock, with each lease that ends later than so long from now; one row where there is none."""
    clock = select(now().label("at")).subquery("clock")
    distant = and_(_PROCESSING, tasks.c.lease_expires_at > from_now(beyond.total_seconds()))
    joined = clock.outerjoin(tasks, distant)
    return select(clock.c.at, tasks.c.lease_token, tasks.c.lease_expires_at).select_from(joined).limit(MOST_DISTANT)


def reap(connection: Connection, limit: int, expiry: Expiry, policy: RetryPolicy) -> Sequence[Reaped]:
    """Take rows whose lease is over, at no cost where an outage was the reason, with their lines of history."""
    # guard: reap.excuse
    excused = [] if expiry.outage is None else _excused(connection, limit, expiry, expiry.outage, policy)
    limit -= len(excused)
    lost = _take(connection, _reap_expired(limit, expiry, policy), FailureCode.WORKER_LOST) if limit else []
    return [*excused, *lost]


def _excused(connection: Connection, limit: int, expiry: Expiry, outage: Outage, policy: RetryPolicy) -> list[Reaped]:
    return _take(connection, _excuse(limit, expiry, outage, policy.max_excused), DATABASE_OUTAGE)


def _take(connection: Connection, statement: Update, cause: str) -> list[Reaped]:
    rows = connection.execute(statement).all()
    if rows:
        connection.execute(insert(status_history).values([_line(row, cause) for row in rows]))
    return [to_reaped(row, cause) for row in rows]


def _reap_expired(limit: int, expiry: Expiry, policy: RetryPolicy) -> Update:
    """Back to pending, or failed when attempts are spent.

    The first time without a delay, since the lease's life has been waited for; then with a growing one.
    """
    over = or_(_ended_before(expiry), _unrenewed(expiry))
    return _update(limit, over).values(next_state(policy, LEASE_LOST, delay_seconds_after_expiry(policy), crashed=True))


def _excuse(limit: int, expiry: Expiry, outage: Outage, most: int) -> Update:
    """Back to pending at no cost, since nobody could renew the lease: whoever held it need not have crashed."""
    since, until = literal(outage.since, UtcDateTime), literal(outage.until, UtcDateTime)
    earlier = select(func.count()).where(
        status_history.c.task_id == tasks.c.task_id, status_history.c.cause == DATABASE_OUTAGE
    )
    during = and_(tasks.c.lease_expires_at >= since, tasks.c.lease_expires_at <= until)
    over = and_(
        _ended_before(expiry),
        during,
        earlier.scalar_subquery() < most,  # guard: reap.excuses
    )
    return _update(limit, over).values(
        current_status=TaskStatus.PENDING,
        available_at=now(),
        dispatch_due_at=now(),
        dispatch_count=0,
        lease_expires_at=None,
    )


def _update(limit: int, over: ColumnElement[bool]) -> Update:
    expired = select(tasks.c.task_id).where(_PROCESSING, over).limit(limit).with_for_update(skip_locked=True)
    return update(tasks).where(tasks.c.task_id.in_(select(expired.cte("expired").c.task_id))).returning(*_REAPED)


def _ended_before(expiry: Expiry) -> ColumnElement[bool]:
    # A clock that was set back since the look gives leases that end before it.
    # guard: reap.as_of, reap.set_back
    as_of = now() if expiry.as_of is None else _earlier(literal(expiry.as_of, UtcDateTime), now())
    return tasks.c.lease_expires_at < as_of  # guard: reap.expired


def _earlier(one: ColumnElement[datetime], other: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((one < other, one), else_=other)


def _unrenewed(expiry: Expiry) -> ColumnElement[bool]:
    if not expiry.unrenewed:
        return false()
    return and_(tasks.c.lease_token.in_(expiry.unrenewed), tasks.c.lease_expires_at > now())


def _line(row: Row[Any], cause: str) -> dict[str, object]:
    lease = Lease(task_id=row.task_id, attempt=row.attempt, token=row.lease_token, worker_id=row.lease_owner)
    duration = row.at - row.claimed_at
    why = "its lease ran out" if cause == FailureCode.WORKER_LOST else "its lease ran out while the database was down"
    then = "no attempts left" if row.current_status is TaskStatus.FAILED else "queued again"
    return {
        "task_id": row.task_id,
        "status": row.current_status,
        "transitioned_at": row.at,
        "notes": f"Attempt {row.attempt} on {row.lease_owner} ended after {duration.total_seconds():.3f} s: "
        f"{why}; {then}",
        **attempt_columns(lease, duration, cause),
    }


def correct_times(connection: Connection, redispatch: timedelta) -> int:
    """Make tasks available that wait for a time which was set before the clock was set back; how many it were.

    A task that is scheduled for later waits for that time, and one in a backoff that began after the step for its end.
    """
    corrected = connection.execute(_make_available()).all()
    connection.execute(_bring_redispatch_forward(redispatch))
    return len(corrected)


@cache
def _make_available() -> Update:
    last_line = (
        select(status_history.c.transitioned_at)
        .where(status_history.c.task_id == tasks.c.task_id)
        .order_by(status_history.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    late = and_(
        tasks.c.current_status == TaskStatus.PENDING,
        tasks.c.available_at > now(),
        or_(tasks.c.scheduled_for.is_(None), tasks.c.scheduled_for <= now()),
        # Before its first attempt a task is in no delay; later its last line says when the delay began.
        or_(tasks.c.attempt == 0, last_line > now()),  # guard: clock.only_before
    )
    return (
        _of_unlocked(late)
        .values(available_at=now(), dispatch_due_at=now(), dispatch_count=0)
        .returning(tasks.c.task_id)
    )


def _bring_redispatch_forward(redispatch: timedelta) -> Update:
    """A dispatched task is overdue no later than the interval that its last dispatch gave it."""
    ready = and_(tasks.c.dispatch_due_at.is_not(None), tasks.c.dispatch_count > literal_column("0"))
    latest = from_now(doubling(redispatch.total_seconds(), tasks.c.dispatch_count - 1, REDISPATCH_DOUBLINGS))
    return _of_unlocked(and_(ready, tasks.c.dispatch_due_at > latest)).values(dispatch_due_at=latest)


def _of_unlocked(which: ColumnElement[bool]) -> Update:
    """Processes that correct the same rows at once share them."""
    found = select(tasks.c.task_id).where(which).with_for_update(skip_locked=True).cte("found")
    return update(tasks).where(tasks.c.task_id.in_(select(found.c.task_id)))
