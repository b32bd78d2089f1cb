"""The SQL of the protocol, one function for each statement; `repository` combines them in transactions."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from ketline.db.engine.bind_parameters import BindParameters
from ketline.db.engine.clock import from_now, now
from ketline.db.engine.planner_hints import checked
from ketline.db.engine.prepared import Prepared
from ketline.db.engine.types import JsonText, UuidList, is_one_of
from ketline.db.schema.spec import SPEC_COLUMNS
from ketline.db.schema.status_type import status_constant
from ketline.db.schema.tables import status_history, tasks
from ketline.db.schema.visibility import is_of
from ketline.db.tasks.fence import is_attempt_of, is_held
from ketline.db.tasks.rank import in_queue, overtaken, ready, select_best
from ketline.db.tasks.retry import delay_seconds, next_state
from ketline.db.tasks.turns import candidates, running_attempts, turn
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Lease
from ketline.domain.attempts.retry import RetryPolicy
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.status import TaskStatus

LEASE_LOST = Failure(
    code=FailureCode.WORKER_LOST,
    message="The worker was lost while it ran the program: killed, out of memory, or cut off",
)

CLAIM_COLUMNS: Sequence[Column[Any]] = [
    *SPEC_COLUMNS,
    tasks.c.task_id,
    tasks.c.project,
    tasks.c.attempt,
    tasks.c.correlation_id,
    tasks.c.trace_context,
    tasks.c.submitted_at,
    tasks.c.released_at,
    tasks.c.claimed_at,
    tasks.c.lease_token,
    tasks.c.lease_owner,
    tasks.c.remote_id,
    tasks.c.remote_status,
    tasks.c.remote_submitted_at,
]
SETTLED_COLUMNS: Sequence[ColumnElement[Any]] = [
    tasks.c.task_id,
    tasks.c.attempt,
    tasks.c.lease_token,
    tasks.c.lease_owner,
    tasks.c.claimed_at,
    tasks.c.completed_at.label("at"),
]

_LEASE = {"task_id": Uuid(), "attempt": Integer(), "token": Uuid()}
CLAIMED_PARAMETERS = BindParameters(token=Uuid())
CLAIM_BEST_PARAMETERS = BindParameters(token=Uuid(), worker_id=Text(), lease_seconds=Float())
CLAIM_PARAMETERS = CLAIM_BEST_PARAMETERS.with_columns(task_id=Uuid())
NEXT_PARAMETERS = CLAIM_BEST_PARAMETERS.with_columns(overtaking_id=Uuid())
RENEW_PARAMETERS = BindParameters(**_LEASE, lease_seconds=Float())
COMPLETE_PARAMETERS = BindParameters(**_LEASE, result=JsonText(), profile=JsonText())
FAIL_PARAMETERS = BindParameters(
    **_LEASE, error_code=Text(), error_message=Text(), error_line=Integer(), error_column=Integer()
)


_NO_ATTEMPT: Mapping[str, object] = dict.fromkeys(("attempt", "lease_token", "worker_id", "duration_seconds", "cause"))
_INSERT_LINE = Prepared(
    insert(status_history)
    .values(
        {column.name: bindparam(column.name, type_=column.type) for column in status_history.c if column.name != "id"}
    )
    .inline()
)


def write_line(
    connection: Connection, task_id: UUID, status: TaskStatus, at: datetime, notes: str, **attempt: object
) -> None:
    """Appends one line of history, with the time that the row got; `attempt` has the columns of the attempt."""
    line = {**_NO_ATTEMPT, "task_id": task_id, "status": status, "transitioned_at": at, "notes": notes, **attempt}
    _INSERT_LINE.run(connection, line)


def claim_task(request: Any) -> Update:
    """Claims the task only while it is pending, available and next in turn in `bound_queue`: an optimistic lock.

    Only one project has its turn. If no task of the queue was dispatched, every project has.
    """
    project = select(turn().c.project).scalar_subquery()
    its_turn = and_(
        checked(in_queue()),  # guard: claim.queue
        checked(tasks.c.project == func.coalesce(project, tasks.c.project)),  # guard: claim.project
        tasks.c.priority >= 0,  # guard: claim.priority
        not_(overtaken(project)),  # guard: claim.overtaken
    )
    return _take(request, and_(tasks.c.task_id == request.task_id, its_turn))


@cache
def claim_best(*, short: bool = False) -> Update:
    """Claims the first task of `bound_project` in `bound_queue`, of all or of those that are not known to be long."""
    best = select_best(short=short).cte("best")
    return _take(CLAIM_BEST_PARAMETERS.one(), tasks.c.task_id.in_(select(best.c.task_id)))


def claim_next() -> tuple[Update, Update]:
    """Claims the next tasks in turn of `bound_queue`, one for each request while there are any; for PostgreSQL.

    A request that claimed a task before, in a COMMIT whose response was lost, claims none. The second statement lets
    each `overtaking_id` overtake whose request claims another.
    """
    request = NEXT_PARAMETERS.all()
    attempts = running_attempts().prefix_with("MATERIALIZED")
    own = select(attempts.c.lease_token).where(attempts.c.lease_token == any_(NEXT_PARAMETERS.array("token")))
    following, order = candidates(attempts)
    best = (
        select(tasks.c.task_id)
        .join(following, following.c.task_id == tasks.c.task_id)
        .where(checked(in_queue()), ready(), tasks.c.available_at <= now())
        .order_by(*order)
        .limit(bindparam("bound_number", type_=Integer()))
        .with_for_update(skip_locked=True, of=tasks)  # guard: next.skip_locked
        .cte("best")
    )
    numbered = select(best.c.task_id, func.row_number().over().label("number")).subquery("numbered")
    paired = (
        select(numbered.c.task_id, request.overtaking_id, request.token, request.worker_id, request.lease_seconds)
        .join(numbered, numbered.c.number == request.number)
        .where(request.token.not_in(own))  # guard: claim.others_own
        .cte("paired")
    )
    lost = and_(
        tasks.c.task_id.in_(select(paired.c.overtaking_id)),
        tasks.c.task_id.not_in(select(paired.c.task_id)),
    )
    return _take(paired.c, tasks.c.task_id == paired.c.task_id), _let_overtake(lost)


@cache
def let_overtake() -> Prepared:
    """Lets the tasks `bound_task_ids`, whose messages were used for others, precede the tasks that came after them."""
    lost = is_one_of(tasks.c.task_id, bindparam("bound_task_ids", type_=UuidList()))
    return Prepared(_let_overtake(lost).returning(tasks.c.task_id))


def _let_overtake(which: ColumnElement[bool]) -> Update:
    lost = (
        select(tasks.c.task_id)
        .where(
            which,
            checked(in_queue()),
            checked(tasks.c.current_status == TaskStatus.PENDING),
            tasks.c.available_at <= now(),
        )
        # A transaction that has it locked is claiming it.
        .with_for_update(skip_locked=True)
        .cte("lost")
    )
    return update(tasks).where(tasks.c.task_id.in_(select(lost.c.task_id))).values(overtakes=True)


def _take(request: Any, which: ColumnElement[bool]) -> Update:
    return (
        update(tasks)
        .where(
            which,
            checked(tasks.c.current_status == TaskStatus.PENDING),  # guard: claim.pending
            tasks.c.available_at <= now(),  # guard: claim.available
        )
        .values(
            current_status=TaskStatus.PROCESSING,
            attempt=tasks.c.attempt + 1,  # guard: claim.attempt
            claimed_at=now(),
            lease_token=request.token,
            lease_owner=request.worker_id,
            lease_expires_at=from_now(request.lease_seconds),
            dispatch_due_at=None,  # guard: claim.not_due
        )
        .returning(*CLAIM_COLUMNS)
    )


@cache
def select_claimed() -> Prepared:
    """Selects the row that the token `bound_token` has claimed already."""
    return Prepared(_claimed(tasks.c.lease_token == CLAIMED_PARAMETERS.one().token))


@cache
def select_tokens() -> Prepared:
    """Selects the tokens of all running attempts."""
    running = tasks.c.current_status == status_constant(TaskStatus.PROCESSING)
    return Prepared(select(tasks.c.lease_token).where(running))


def _claimed(which: ColumnElement[bool]) -> Select[Any]:
    processing = tasks.c.current_status == status_constant(TaskStatus.PROCESSING)
    return select(*CLAIM_COLUMNS).where(which, processing)


@cache
def renew_lease() -> Prepared:
    request = RENEW_PARAMETERS.one()
    return Prepared(
        update(tasks)
        .where(is_held(request))  # guard: renew.fence
        .values(lease_expires_at=from_now(request.lease_seconds))
        .returning(tasks.c.attempt)
    )


def complete_task(request: Any) -> Update:
    return _settle(request, TaskStatus.COMPLETED, {"result": request.result, "profile": request.profile})


def fail_task(request: Any) -> Update:
    columns = ("error_code", "error_message", "error_line", "error_column")
    return _settle(request, TaskStatus.FAILED, {name: getattr(request, name) for name in columns})


def select_own_line(lease: Lease, cause: str | None) -> Select[Any]:
    """Selects the line of history with which this lease ended its attempt for this cause, None for success."""
    return select(status_history.c.status).where(
        status_history.c.task_id == lease.task_id,
        is_attempt_of(status_history, lease),  # guard: own_line.token
        status_history.c.duration_seconds.is_not(None),
        status_history.c.cause.is_(None) if cause is None else status_history.c.cause == cause,  # guard: own_line.cause
    )


def due_again() -> Mapping[str, object]:
    """The values of a row that is pending again and has no message."""
    columns: dict[str, object] = dict.fromkeys(("available_at", "dispatch_due_at"), now())
    return {"current_status": TaskStatus.PENDING, **columns, "dispatch_count": 0, "lease_expires_at": None}


def ended_on_request(status: TaskStatus, code: FailureCode, message: str) -> Mapping[str, object]:
    """The values of a row that somebody ended, whatever its status was."""
    return {
        "current_status": status,
        "completed_at": now(),
        "dispatch_due_at": None,
        "lease_expires_at": None,
        "error_code": code.value,
        "error_message": message,
    }


def release_task(lease: Lease) -> Update:
    return (
        update(tasks)
        .where(is_held(lease))
        .values(due_again())
        .returning(tasks.c.claimed_at, tasks.c.available_at.label("at"))
    )


def defer_task(lease: Lease, delay: timedelta, *, is_long: bool = False) -> Update:
    """Like `release_task`, after a delay; the task then overtakes, so that it is not last in a long queue."""
    again = from_now(delay.total_seconds())
    found = {"is_long": True} if is_long else {}
    return (
        update(tasks)
        .where(is_held(lease))  # guard: defer.fence
        .values(
            current_status=TaskStatus.PENDING,
            available_at=again,  # guard: defer.delay
            dispatch_due_at=again,  # guard: defer.dispatch
            dispatch_count=0,
            lease_expires_at=None,
            overtakes=True,  # guard: defer.place
            **found,
        )
        .returning(tasks.c.claimed_at, now().label("at"))
    )


def recall_task(lease: Lease) -> Update:
    """Ends the delay that `defer_task` gave a row, unless it was claimed or scheduled since."""
    return (
        update(tasks)
        .where(
            tasks.c.task_id == lease.task_id,
            tasks.c.current_status == TaskStatus.PENDING,
            is_attempt_of(tasks, lease),  # guard: recall.fence
            tasks.c.available_at > now(),
            or_(tasks.c.scheduled_for.is_(None), tasks.c.scheduled_for <= now()),  # guard: recall.schedule
        )
        .values(available_at=now(), dispatch_due_at=now())
        .returning(tasks.c.attempt)
    )


def retry_task(lease: Lease, failure: Failure, policy: RetryPolicy, *, crashed: bool) -> Update:
    return (
        update(tasks)
        .where(is_held(lease))
        .values(next_state(policy, failure, delay_seconds(policy), crashed=crashed))
        .returning(tasks.c.current_status, tasks.c.claimed_at, now().label("at"))
    )


def lock_task(task_id: UUID, project: ProjectName) -> Select[Any]:
    return (
        select(tasks.c.current_status, tasks.c.attempt, tasks.c.lease_token, tasks.c.lease_owner, tasks.c.claimed_at)
        .where(tasks.c.task_id == task_id, is_of(project))
        .with_for_update()  # guard: cancel.lock
    )


def cancel_task(task_id: UUID) -> Update:
    """Cancels a row that `lock_task` has locked and found not ended."""
    return (
        update(tasks)
        .where(tasks.c.task_id == task_id)
        .values(ended_on_request(TaskStatus.CANCELLED, FailureCode.CANCELLED, "The task was cancelled on request"))
        .returning(tasks.c.completed_at.label("at"))
    )


def expire_leases() -> Update:
    held = tasks.c.current_status == TaskStatus.PROCESSING
    return update(tasks).where(held).values(lease_expires_at=from_now(-1))


def _settle(request: Any, status: TaskStatus, columns: Mapping[str, object]) -> Update:
    return (
        update(tasks)
        .where(is_held(request))
        .values(current_status=status, completed_at=now(), lease_expires_at=None, **columns)
        .returning(*SETTLED_COLUMNS)
    )
