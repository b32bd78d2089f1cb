"""Claims tasks, and records the two most common outcomes of attempts, for any number of tasks at once.

On PostgreSQL each is one statement that changes the rows and appends their lines of history: it needs no transaction
around it, and is one round trip. On SQLite, where statements are cheap, it is two for each task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    Text,
    Update,
    cast,
    extract,
    func,
    insert,
    literal,
    select,
)

from ketline.db.engine.bind_parameters import BindParameters
from ketline.db.engine.dialect import dialect_of
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.rows import attempt_columns, to_claim
from ketline.db.schema.tables import status_history
from ketline.db.tasks.statements import (
    CLAIM_BEST_PARAMETERS,
    CLAIM_PARAMETERS,
    COMPLETE_PARAMETERS,
    FAIL_PARAMETERS,
    claim_best,
    claim_task,
    complete_task,
    fail_task,
    let_overtake,
    select_claimed,
    select_own_line,
    write_line,
)
from ketline.domain.task import Claim, Lease, LeaseToken, TaskId, TaskStatus, WorkerId

STARTED = "Attempt %s started on %s"

_LINE = ["task_id", "status", "transitioned_at", "notes", "attempt", "lease_token", "worker_id"]


@dataclass(frozen=True, slots=True)
class _OutcomeSql:
    """The statement that records an outcome, and its parameters; `lines` adds those of its line of history."""

    record: Callable[[Any], Update]
    parameters: BindParameters

    @property
    def lines(self) -> BindParameters:
        return self.parameters.with_columns(notes=Text(), cause=Text())


_OUTCOMES = {
    TaskStatus.COMPLETED: _OutcomeSql(complete_task, COMPLETE_PARAMETERS),
    TaskStatus.FAILED: _OutcomeSql(fail_task, FAIL_PARAMETERS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """The task that a message named to a worker, and the token that identifies the claim."""

    task_id: TaskId
    token: LeaseToken
    worker_id: WorkerId
    lease_seconds: float

    def values(self) -> Mapping[str, object]:
        return {
            "task_id": self.task_id,
            "token": self.token,
            "worker_id": self.worker_id,
            "lease_seconds": self.lease_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The final outcome of an attempt: new values of the task's columns, and its line of history."""

    lease: Lease
    columns: Mapping[str, object]
    notes: str
    cause: str | None = None

    @property
    def task_id(self) -> TaskId:
        return self.lease.task_id

    def values(self) -> Mapping[str, object]:
        lease = {"task_id": self.lease.task_id, "attempt": self.lease.attempt, "token": self.lease.token}
        return {**lease, **self.columns, "notes": self.notes, "cause": self.cause}


def claim_all(connection: Connection, requests: Sequence[ClaimRequest]) -> list[Claim | None]:
    """Claims each requested task that is pending, available and next in turn; at most one worker gets each."""
    taken: Mapping[LeaseToken, Any]
    if dialect_of(connection).batches:
        values = CLAIM_PARAMETERS.arrays([request.values() for request in sorted(requests, key=_task_id)])
        taken = {row.lease_token: row for row in _claim_batch().run(connection, values)}
    else:
        taken = {
            request.token: _claim_one(connection, request, _claim(), CLAIM_PARAMETERS.parameters(request.values()))
            for request in requests
        }
    return [_to_claim(request, taken.get(request.token)) for request in requests]


def claim_another(connection: Connection, request: ClaimRequest, *, short: bool = False) -> Claim | None:
    """Claims the next task in turn for a worker that did not get the requested one; needs a transaction of its own.

    There is a message for each waiting task. A worker whose requested task is claimed already, or is not next in turn,
    claims the next one instead; the message of that one then stands for the requested task, which until then precedes
    all later tasks. With `short`, it skips tasks that are known to be long.
    """
    # A repeat after a COMMIT whose answer was lost, this one or that before it, finds its own claim here.
    row = connection.execute(select_claimed(request.token)).one_or_none()  # guard: claim.own
    if row is None:
        row = _claim_one(
            connection, request, _claim_best(short=short), CLAIM_BEST_PARAMETERS.parameters(request.values())
        )
        if row is not None and row.task_id != request.task_id:
            connection.execute(let_overtake(), {"bound_task_id": request.task_id})  # guard: claim.let_overtake
    return _to_claim(request, row)


def finish_all(connection: Connection, outcomes: Sequence[Outcome]) -> list[bool]:
    """Completes each task whose lease still holds; gives whether it did."""
    return _record_all(connection, TaskStatus.COMPLETED, outcomes)


def fail_all(connection: Connection, outcomes: Sequence[Outcome]) -> list[bool]:
    """Fails each task whose lease still holds; gives whether it did."""
    return _record_all(connection, TaskStatus.FAILED, outcomes)


def recorded_before(connection: Connection, lease: Lease, cause: str | None) -> TaskStatus | None:
    """Gives the status that this lease recorded already, in a COMMIT whose response was lost."""
    line = connection.execute(select_own_line(lease, cause)).one_or_none()
    return None if line is None else line.status  # guard: hand_back.own


def _to_claim(request: ClaimRequest, row: Any) -> Claim | None:
    return None if row is None else to_claim(row, request.token, request.worker_id)


def _claim_one(
    connection: Connection, request: ClaimRequest, statement: Prepared, parameters: Mapping[str, object]
) -> Any:
    row = statement.one(connection, parameters)
    if row is not None:
        lease = to_claim(row, request.token, request.worker_id).lease
        notes = STARTED % (row.attempt, request.worker_id)
        # guard: claim.history_sqlite
        write_line(connection, lease.task_id, TaskStatus.PROCESSING, row.claimed_at, notes, **attempt_columns(lease))
    return row


def _record_all(connection: Connection, status: TaskStatus, outcomes: Sequence[Outcome]) -> list[bool]:
    if dialect_of(connection).batches:
        values = _OUTCOMES[status].lines.arrays([outcome.values() for outcome in sorted(outcomes, key=_task_id)])
        ended = {row.lease_token for row in _record_batch(status).run(connection, values)}
    else:
        ended = {outcome.lease.token for outcome in outcomes if _record_one(connection, status, outcome)}
    return [
        outcome.lease.token in ended
        # A repeat after a COMMIT whose answer was lost finds its own outcome there.
        or recorded_before(connection, outcome.lease, outcome.cause) is status  # guard: finish.own
        for outcome in outcomes
    ]


def _record_one(connection: Connection, status: TaskStatus, outcome: Outcome) -> bool:
    row = _record(status).one(connection, _OUTCOMES[status].parameters.parameters(outcome.values()))
    if row is None:
        return False
    columns = attempt_columns(outcome.lease, row.at - row.claimed_at, outcome.cause)
    # guard: finish.history_sqlite
    write_line(connection, outcome.lease.task_id, status, row.at, outcome.notes, **columns)
    return True


def _task_id(request: ClaimRequest | Outcome) -> UUID:
    """Every statement requests, and mostly locks, rows in this order, so that deadlocks are rare."""
    return request.task_id


@cache
def _claim() -> Prepared:
    return Prepared(claim_task(CLAIM_PARAMETERS.one()))


@cache
def _claim_best(*, short: bool = False) -> Prepared:
    return Prepared(claim_best(short=short))


@cache
def _claim_batch() -> Prepared:
    taken = claim_task(CLAIM_PARAMETERS.all()).cte("taken")
    notes = func.format(STARTED, taken.c.attempt, taken.c.lease_owner)
    lines = select(*_line(taken, TaskStatus.PROCESSING, taken.c.claimed_at, notes))
    noted = insert(status_history).from_select(_LINE, lines).cte("noted")
    return Prepared(select(taken).add_cte(noted))  # guard: claim.history


@cache
def _record(status: TaskStatus) -> Prepared:
    outcome = _OUTCOMES[status]
    return Prepared(outcome.record(outcome.parameters.one()))


@cache
def _record_batch(status: TaskStatus) -> Prepared:
    request = _OUTCOMES[status].lines.all()
    ended = _OUTCOMES[status].record(request).returning(request.notes, request.cause).cte("ended")
    duration = func.greatest(cast(extract("epoch", ended.c.at - ended.c.claimed_at), Float), 0.0)
    lines = select(*_line(ended, status, ended.c.at, ended.c.notes), ended.c.cause, duration)
    noted = insert(status_history).from_select([*_LINE, "cause", "duration_seconds"], lines).cte("noted")
    return Prepared(select(ended.c.lease_token).add_cte(noted))  # guard: finish.history


def _line(
    rows: CTE, status: TaskStatus, at: ColumnElement[Any], notes: ColumnElement[Any]
) -> Sequence[ColumnElement[Any]]:
    """The columns of `_LINE` for each of `rows`."""
    stated = literal(status, status_history.c.status.type)
    return (rows.c.task_id, stated, at, notes, rows.c.attempt, rows.c.lease_token, rows.c.lease_owner)
