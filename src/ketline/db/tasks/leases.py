"""SQL that reaps expired leases, and corrects times after a step of the database's clock.

`repository.py` runs it for the reaper.
"""

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
    not_,
    or_,
    select,
    update,
)

from ketline.db.engine.clock import doubling, from_now, now
from ketline.db.engine.types import UtcDateTime
from ketline.db.schema.columns import attempt_columns
from ketline.db.schema.rows import to_reaped
from ketline.db.schema.tables import status_history, tasks
from ketline.db.tasks.dispatch import REDISPATCH_DOUBLINGS
from ketline.db.tasks.hold import is_held
from ketline.db.tasks.retry import delay_seconds_after_expiry, next_state
from ketline.db.tasks.statements import LEASE_LOST
from ketline.domain.attempts.claim import Lease, Reaped
from ketline.domain.attempts.leases import Expiry, Outage
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.failures import FailureCode
from ketline.domain.status import TaskStatus

DATABASE_OUTAGE = "database_outage"
# Further leases that end far in the future are examined in the next rounds.
MAX_DISTANT = 1000

_PROCESSING = tasks.c.current_status == TaskStatus.PROCESSING
_REAPED = (
    tasks.c.task_id,
    tasks.c.attempt,
    tasks.c.correlation_id,
    tasks.c.trace_context,
    tasks.c.lease_token,
    tasks.c.lease_owner,
    tasks.c.current_status,
    tasks.c.claimed_at,
    now().label("at"),
)


def select_survey(beyond: timedelta) -> Select[Any]:
    """Selects the database's time with each lease that ends later than `beyond` from now; one row if there is none."""
    clock = select(now().label("at")).subquery("clock")
    distant = and_(_PROCESSING, tasks.c.lease_expires_at > from_now(beyond.total_seconds()))
    joined = clock.outerjoin(tasks, distant)
    return select(clock.c.at, tasks.c.lease_token, tasks.c.lease_expires_at).select_from(joined).limit(MAX_DISTANT)


def reap(connection: Connection, limit: int, expiry: Expiry, policy: RetryPolicy) -> Sequence[Reaped]:
    """Ends attempts whose lease has expired, without counting those that an outage ended; writes their history."""
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
    """Puts tasks back to pending, or fails them when their attempts are spent.

    The first retry has no delay, since the lease's duration has passed already; the delay of later ones grows.
    """
    over = or_(_ended_before(expiry), _unrenewed(expiry))
    return _update(limit, over).values(next_state(policy, LEASE_LOST, delay_seconds_after_expiry(policy), crashed=True))


def _excuse(limit: int, expiry: Expiry, outage: Outage, most: int) -> Update:
    """Puts tasks back to pending without counting the attempt: no lease could be renewed, so no crash is implied."""
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
    # A lease that was renewed since the look has a live worker.
    distant = tasks.c.lease_expires_at > from_now(expiry.beyond.total_seconds())  # guard: clock.still_distant
    return and_(tasks.c.lease_token.in_(expiry.unrenewed), distant)


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
    """Makes tasks available whose delay was set before the clock was set back; gives how many.

    Scheduled tasks still wait for their time, and delays that began after the step still run to their end.
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
        # A task has no delay before its first attempt; later its last line says when the delay began.
        or_(tasks.c.attempt == 0, last_line > now()),  # guard: clock.only_before
        not_(is_held()),  # guard: hold.clock
    )
    return (
        _of_unlocked(late)
        .values(available_at=now(), dispatch_due_at=now(), dispatch_count=0)
        .returning(tasks.c.task_id)
    )


def _bring_redispatch_forward(redispatch: timedelta) -> Update:
    """Makes a dispatched task overdue no later than one interval of its last dispatch from now."""
    ready = and_(tasks.c.dispatch_due_at.is_not(None), tasks.c.dispatch_count > literal_column("0"))
    latest = from_now(doubling(redispatch.total_seconds(), tasks.c.dispatch_count - 1, REDISPATCH_DOUBLINGS))
    return _of_unlocked(and_(ready, tasks.c.dispatch_due_at > latest)).values(dispatch_due_at=latest)


def _of_unlocked(which: ColumnElement[bool]) -> Update:
    """Updates rows that no other transaction has locked, so that concurrent processes divide them."""
    found = select(tasks.c.task_id).where(which).with_for_update(skip_locked=True).cte("found")
    return update(tasks).where(tasks.c.task_id.in_(select(found.c.task_id)))
