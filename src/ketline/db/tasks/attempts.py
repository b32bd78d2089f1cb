"""A claim, and the two ends that most attempts come to, for any number of tasks at once.

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

from ketline.db.engine.bind_parameters import Asking
from ketline.db.engine.dialect import dialect_of
from ketline.db.engine.prepared import Prepared
from ketline.db.schema.rows import attempt_columns, to_claim
from ketline.db.schema.tables import status_history
from ketline.db.tasks.statements import (
    CLAIMING,
    COMPLETING,
    FAILING,
    TAKING,
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
class _EndingSql:
    """The statement of an ending, and what is asked of it; `lines` adds what its line of history says."""

    end: Callable[[Any], Update]
    asking: Asking

    @property
    def lines(self) -> Asking:
        return self.asking.and_of(notes=Text(), cause=Text())


_ENDINGS = {
    TaskStatus.COMPLETED: _EndingSql(complete_task, COMPLETING),
    TaskStatus.FAILED: _EndingSql(fail_task, FAILING),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """The task that a worker was told of, and the token that tells its claim from others."""

    task_id: TaskId
    token: LeaseToken
    worker_id: WorkerId
    lease_seconds: float

    def asked(self) -> Mapping[str, object]:
        return {
            "task_id": self.task_id,
            "token": self.token,
            "worker_id": self.worker_id,
            "lease_seconds": self.lease_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended, for good: columns of the task, and what its line of history says."""

    lease: Lease
    columns: Mapping[str, object]
    notes: str
    cause: str | None = None

    @property
    def task_id(self) -> TaskId:
        return self.lease.task_id

    def asked(self) -> Mapping[str, object]:
        lease = {"task_id": self.lease.task_id, "attempt": self.lease.attempt, "token": self.lease.token}
        return {**lease, **self.columns, "notes": self.notes, "cause": self.cause}


def claim_all(connection: Connection, requests: Sequence[ClaimRequest]) -> list[Claim | None]:
    """Take those tasks that are there to be taken, and whose turn it is; each for one of those who ask for it."""
    taken: Mapping[LeaseToken, Any]
    if dialect_of(connection).batches:
        asked = CLAIMING.arrays([request.asked() for request in sorted(requests, key=_task_id)])
        taken = {row.lease_token: row for row in _claim_together().run(connection, asked)}
    else:
        taken = {
            request.token: _claim_one(connection, request, _claim(), CLAIMING.parameters(request.asked()))
            for request in requests
        }
    return [_to_claim(request, taken.get(request.token)) for request in requests]


def claim_another(connection: Connection, request: ClaimRequest, *, short: bool = False) -> Claim | None:
    """Take the task whose turn it is, for who did not get the one it was told of; a transaction of its own.

    There is a message for each task that waits. So who was told of a task that is taken already, or has to wait for
    another, takes that other; the message of the other then stands for the first, and until it comes the first goes
    before all who came after it. With `short`, tasks that are known to be long are passed over.
    """
    # A repeat after a COMMIT whose answer was lost, this one or that before it, finds its own claim here.
    row = connection.execute(select_claimed(request.token)).one_or_none()  # guard: claim.own
    if row is None:
        row = _claim_one(connection, request, _claim_best(short=short), TAKING.parameters(request.asked()))
        if row is not None and row.task_id != request.task_id:
            connection.execute(let_overtake(), {"asked_task_id": request.task_id})  # guard: claim.let_overtake
    return _to_claim(request, row)


def finish_all(connection: Connection, endings: Sequence[Ending]) -> list[bool]:
    """Complete those tasks whose lease still holds."""
    return _end_all(connection, TaskStatus.COMPLETED, endings)


def fail_all(connection: Connection, endings: Sequence[Ending]) -> list[bool]:
    """Fail those tasks whose lease still holds."""
    return _end_all(connection, TaskStatus.FAILED, endings)


def own_doing(connection: Connection, lease: Lease, cause: str | None) -> TaskStatus | None:
    """What a repeat after a COMMIT whose answer was lost finds of its own doing."""
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


def _end_all(connection: Connection, status: TaskStatus, endings: Sequence[Ending]) -> list[bool]:
    if dialect_of(connection).batches:
        asked = _ENDINGS[status].lines.arrays([ending.asked() for ending in sorted(endings, key=_task_id)])
        ended = {row.lease_token for row in _end_together(status).run(connection, asked)}
    else:
        ended = {ending.lease.token for ending in endings if _end_one(connection, status, ending)}
    return [
        ending.lease.token in ended
        # A repeat after a COMMIT whose answer was lost finds its own outcome there.
        or own_doing(connection, ending.lease, ending.cause) is status  # guard: finish.own
        for ending in endings
    ]


def _end_one(connection: Connection, status: TaskStatus, ending: Ending) -> bool:
    row = _end(status).one(connection, _ENDINGS[status].asking.parameters(ending.asked()))
    if row is None:
        return False
    columns = attempt_columns(ending.lease, row.at - row.claimed_at, ending.cause)
    # guard: finish.history_sqlite
    write_line(connection, ending.lease.task_id, status, row.at, ending.notes, **columns)
    return True


def _task_id(request: ClaimRequest | Ending) -> UUID:
    """Asked for in one order by all, rows are as a rule locked in it too: statements seldom deadlock."""
    return request.task_id


@cache
def _claim() -> Prepared:
    return Prepared(claim_task(CLAIMING.one()))


@cache
def _claim_best(*, short: bool = False) -> Prepared:
    return Prepared(claim_best(short=short))


@cache
def _claim_together() -> Prepared:
    taken = claim_task(CLAIMING.all()).cte("taken")
    notes = func.format(STARTED, taken.c.attempt, taken.c.lease_owner)
    lines = select(*_line(taken, TaskStatus.PROCESSING, taken.c.claimed_at, notes))
    noted = insert(status_history).from_select(_LINE, lines).cte("noted")
    return Prepared(select(taken).add_cte(noted))  # guard: claim.history


@cache
def _end(status: TaskStatus) -> Prepared:
    ending = _ENDINGS[status]
    return Prepared(ending.end(ending.asking.one()))


@cache
def _end_together(status: TaskStatus) -> Prepared:
    asked = _ENDINGS[status].lines.all()
    ended = _ENDINGS[status].end(asked).returning(asked.notes, asked.cause).cte("ended")
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
