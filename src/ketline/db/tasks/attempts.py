"""Claims tasks, and records the two most common outcomes of attempts, for any number of tasks at once.

`repository.py` calls it for workers, and batches what it can.

On PostgreSQL each is one statement that changes the rows and appends their lines of history: it needs no transaction
around it, and is one round trip. On SQLite, where statements are cheap, it is two for each task.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    Select,
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
from ketline.db.schema.columns import attempt_columns
from ketline.db.schema.rows import to_claim
from ketline.db.schema.tables import status_history
from ketline.db.tasks.statements import (
    CLAIM_BEST_PARAMETERS,
    CLAIM_PARAMETERS,
    CLAIMED_PARAMETERS,
    COMPLETE_PARAMETERS,
    FAIL_PARAMETERS,
    NEXT_PARAMETERS,
    claim_best,
    claim_next,
    claim_task,
    complete_task,
    fail_task,
    let_overtake,
    select_claimed,
    select_own_line,
    select_tokens,
    write_line,
)
from ketline.db.tasks.turns import Turns
from ketline.domain.attempts.claim import Claim, Lease
from ketline.domain.ids import LeaseToken, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue

# How many tasks are looked at beyond those that are to be claimed, since other processes may claim some of them.
SPARE_CANDIDATES = 32
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
    """The task that a message named to a worker, its queue, and the token that identifies the claim.

    `claim_others` lets tasks overtake whose messages were used for others: `lost`, and the named one if `overtakes`.
    """

    task_id: TaskId
    queue: TaskQueue = SIMULATIONS
    token: LeaseToken
    worker_id: WorkerId
    lease_seconds: float
    lost: Sequence[TaskId] = ()
    overtakes: bool = True

    def values(self) -> Mapping[str, object]:
        return {
            "task_id": self.task_id,
            "overtaking_id": self.task_id if self.overtakes else None,
            "token": self.token,
            "worker_id": self.worker_id,
            "lease_seconds": self.lease_seconds,
        }

    def parameters(self, columns: BindParameters) -> Mapping[str, object]:
        """Values for a statement about one request."""
        return {**columns.parameters(self.values()), "bound_queue": self.queue.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRequest:
    """The outcome that an attempt records: new values of the task's columns, and its line of history."""

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
    taken: dict[LeaseToken, Any] = {}
    if dialect_of(connection).batches:
        for queue, several in _by_queue(requests):
            statement = _claim_batch(single=len(several) == 1)
            rows = statement.run(connection, {**CLAIM_PARAMETERS.values(several), "bound_queue": queue})
            taken |= {row.lease_token: row for row in rows}
    else:
        for request in requests:
            taken[request.token] = _claim_one(connection, request, _claim(), request.parameters(CLAIM_PARAMETERS))
    return [_to_claim(request, taken.get(request.token)) for request in requests]


def claim_others(connection: Connection, requests: Sequence[ClaimRequest]) -> list[Claim | None]:
    """Claims the next tasks in turn for workers that did not get the requested ones, or would not.

    On PostgreSQL, in one statement, it may leave a request without a task though one waits: if workers of other
    processes claim what it has chosen.
    """
    for queue, several in groupby(sorted(requests, key=_queue_name), key=_queue_name):
        _let_overtake(connection, queue, [task_id for request in several for task_id in request.lost])
    if dialect_of(connection).batches:
        taken = _claim_next_batch(connection, requests)
        return [_to_claim(request, taken.get(request.token)) for request in requests]
    return _claim_next_ones(connection, requests)


def claim_another(connection: Connection, request: ClaimRequest, *, short: bool = False) -> Claim | None:
    """Claims the next task in turn for a worker that did not get the requested one; needs a transaction of its own.

    There is a message for each waiting task. A worker whose requested task is claimed already, or is not next in turn,
    claims the first one of the project in turn instead; the message of that one then stands for the requested task,
    which until then precedes all later tasks of its project. With `short`, it skips tasks that are known to be long.
    """
    row, lost = _claim_own_or_next(connection, request, {}, short=short)
    _let_overtake(connection, request.queue.name, lost)
    return _to_claim(request, row)


def _claim_next_batch(connection: Connection, requests: Sequence[ClaimRequest]) -> Mapping[LeaseToken, Any]:
    taken: dict[LeaseToken, Any] = {}
    for queue, several in _by_queue(requests):
        bound = {"bound_queue": queue, "bound_number": len(several), "bound_spare": SPARE_CANDIDATES}
        overtaking = any(request["overtaking_id"] for request in several)
        rows = _claim_next(overtaking=overtaking).run(connection, {**NEXT_PARAMETERS.arrays(several), **bound})
        taken |= {row.lease_token: row for row in rows}
    return taken


def _claim_next_ones(connection: Connection, requests: Sequence[ClaimRequest]) -> list[Claim | None]:
    turns: dict[str, Turns] = {}
    claims = []
    claimed = {row.lease_token for row in select_tokens().run(connection, {})}
    for request in requests:
        row, lost = _claim_own_or_next(connection, request, turns, repeated=request.token in claimed)
        claims.append(_to_claim(request, row))
        if request.overtakes:
            _let_overtake(connection, request.queue.name, lost)
    return claims


def _claim_own_or_next(
    connection: Connection,
    request: ClaimRequest,
    turns: dict[str, Turns],
    *,
    repeated: bool = True,
    short: bool = False,
) -> tuple[Any, Sequence[TaskId]]:
    """Claims the next task in turn, unless the request has been `repeated` and finds its own claim.

    Gives its row, and the named task if its message was used for another. `turns` has those of queues for which a
    request of this transaction claimed before.
    """
    # If the response to an earlier COMMIT of this claim was lost, the repeated request finds its own claim here.
    own = CLAIMED_PARAMETERS.parameters(request.values())
    row = select_claimed().one(connection, own) if repeated else None  # guard: claim.own
    if row is not None:
        return row, []
    if request.queue.name not in turns:
        turns[request.queue.name] = Turns(connection, request.queue.name)
    row = _claim_fairly(connection, request, turns[request.queue.name], short=short)
    return row, [] if row is None or row.task_id == request.task_id else [request.task_id]


def _let_overtake(connection: Connection, queue: str, task_ids: Sequence[TaskId]) -> None:
    if task_ids:
        parameters = {"bound_task_ids": task_ids, "bound_queue": queue}
        let_overtake().run(connection, parameters)  # guard: claim.let_overtake


def _claim_fairly(connection: Connection, request: ClaimRequest, turns: Turns, *, short: bool) -> Any:
    """Claims the first task of the first project in turn that has one which no other worker is claiming."""
    parameters = request.parameters(CLAIM_BEST_PARAMETERS)
    while (project := turns.next()) is not None:
        of_project = {**parameters, "bound_project": project}
        row = _claim_one(connection, request, _claim_best(short=short), of_project)
        if row is not None:
            turns.count(project)
            return row
        turns.drop(project)  # guard: turn.others
    return None


def finish_all(connection: Connection, requests: Sequence[FinishRequest]) -> list[bool]:
    """Completes each task whose lease still holds; gives whether it did."""
    return _record_all(connection, TaskStatus.COMPLETED, requests)


def fail_all(connection: Connection, requests: Sequence[FinishRequest]) -> list[bool]:
    """Fails each task whose lease still holds; gives whether it did."""
    return _record_all(connection, TaskStatus.FAILED, requests)


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


def _record_all(connection: Connection, status: TaskStatus, requests: Sequence[FinishRequest]) -> list[bool]:
    if dialect_of(connection).batches:
        values = _OUTCOMES[status].lines.values([request.values() for request in sorted(requests, key=_task_id)])
        statement = _record_batch(status, single=len(requests) == 1)
        ended = {row.lease_token for row in statement.run(connection, values)}
    else:
        ended = {request.lease.token for request in requests if _record_one(connection, status, request)}
    return [
        request.lease.token in ended
        # If the response to an earlier COMMIT was lost, the repeated request finds its own outcome there.
        or recorded_before(connection, request.lease, request.cause) is status  # guard: finish.own
        for request in requests
    ]


def _record_one(connection: Connection, status: TaskStatus, request: FinishRequest) -> bool:
    row = _record(status).one(connection, _OUTCOMES[status].parameters.parameters(request.values()))
    if row is None:
        return False
    columns = attempt_columns(request.lease, row.at - row.claimed_at, request.cause)
    # guard: finish.history_sqlite
    write_line(connection, request.lease.task_id, status, row.at, request.notes, **columns)
    return True


def _task_id(request: ClaimRequest | FinishRequest) -> UUID:
    """The order in which every statement requests rows, and mostly locks them, so that deadlocks are rare."""
    return request.task_id


def _by_queue(requests: Sequence[ClaimRequest]) -> Iterator[tuple[str, Sequence[Mapping[str, object]]]]:
    for queue, same_queue in groupby(sorted(requests, key=_queue_and_task_id), key=_queue_name):
        yield queue, [request.values() for request in same_queue]


def _queue_name(request: ClaimRequest) -> str:
    return request.queue.name


def _queue_and_task_id(request: ClaimRequest) -> tuple[str, UUID]:
    return request.queue.name, request.task_id


@cache
def _claim() -> Prepared:
    return Prepared(claim_task(CLAIM_PARAMETERS.one()))


@cache
def _claim_best(*, short: bool = False) -> Prepared:
    return Prepared(claim_best(short=short))


@cache
def _claim_batch(*, single: bool) -> Prepared:
    return Prepared(_noted(claim_task(CLAIM_PARAMETERS.some(single=single)).cte("taken")))


@cache
def _claim_next(*, overtaking: bool) -> Prepared:
    claimed, lost = claim_next()
    taken = _noted(claimed.cte("taken"))
    if overtaking:
        taken = taken.add_cte(lost.cte("lost_messages"))  # guard: next.let_overtake
    return Prepared(taken)


def _noted(taken: CTE) -> Select[Any]:
    """Selects what was taken and appends a line of history for each."""
    notes = func.format(STARTED, taken.c.attempt, taken.c.lease_owner)
    lines = select(*_line(taken, TaskStatus.PROCESSING, taken.c.claimed_at, notes))
    noted = insert(status_history).from_select(_LINE, lines).cte("noted")
    return select(taken).add_cte(noted)  # guard: claim.history


@cache
def _record(status: TaskStatus) -> Prepared:
    outcome = _OUTCOMES[status]
    return Prepared(outcome.record(outcome.parameters.one()))


@cache
def _record_batch(status: TaskStatus, *, single: bool) -> Prepared:
    request = _OUTCOMES[status].lines.some(single=single)
    noting = (request.notes.label("notes"), request.cause.label("cause"))
    ended = _OUTCOMES[status].record(request).returning(*noting).cte("ended")
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
