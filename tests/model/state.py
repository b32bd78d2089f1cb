"""One state of the protocol: the database, the broker, and what each process has in memory."""

from typing import NamedTuple

from ketline.domain.status import LEGAL_MOVES, TaskStatus

# Plain strings, because hashing an enum member costs more than the rest of a step.
ABSENT = ""
PENDING = TaskStatus.PENDING.value
PROCESSING = TaskStatus.PROCESSING.value
COMPLETED = TaskStatus.COMPLETED.value
FAILED = TaskStatus.FAILED.value
CANCELLED = TaskStatus.CANCELLED.value
MOVES = {status.value: frozenset(move.value for move in moves) for status, moves in LEGAL_MOVES.items()}
TERMINAL = frozenset(status for status, moves in MOVES.items() if not moves)


class Line(NamedTuple):
    """One line of history, by worker, reaper or api; attempt and token are those of the lease it speaks of, or 0."""

    status: str
    attempt: int = 0
    token: int = 0
    writer: str = "api"


class Row(NamedTuple):
    """A task in the database. The last four fields are the observer's: no step of the protocol reads them.

    `due` is empty, new (to be dispatched) or sent (dispatched, and to be again should its message be lost).

    `outage`: the lease ran out while the database was down. `claims` numbers the claims ever made, and survives a
    failover. `stale_write`, `early_reap` and `blamed` (for an outage) note effects that must not happen.
    """

    status: str = ABSENT
    attempt: int = 0
    token: int = 0
    expired: bool = False
    outage: bool = False
    available: bool = False
    due: str = ""
    spent: int = 0
    lost: int = 0
    history: tuple[Line, ...] = ()
    claims: int = 0
    stale_write: bool = False
    early_reap: bool = False
    blamed: bool = False


class Lease(NamedTuple):
    """What a worker knows of its claim of a task; `claim` is the observer's number for it."""

    task: int
    attempt: int
    token: int
    claim: int


class Worker(NamedTuple):
    """One slot, with the message of `task`. Phases: idle, holding (a message), running, unsure (whether its write took
    effect), recorded, fenced, returned (the task, after its simulator died).

    Mode: sure (of its lease), frozen, or late (it has slept or is cut off, and its lease may be over). `held`: the
    message is its own. `stray`: the message was on the wrong queue.
    """

    phase: str = "idle"
    task: int = -1
    lease: Lease | None = None
    held: bool = False
    mode: str = "sure"
    stray: bool = False


class Request(NamedTuple):
    """One submit. Phases: new, looked, promised, unsure, stored, acknowledged, rejected, unanswered.

    `task` is the row it speaks of, or -1. By its own id request n stores row n.
    """

    phase: str = "new"
    task: int = -1


class State(NamedTuple):
    """Everything. `queue[t]` counts the messages that wait for task t on its queue, `strays[t]` those on the wrong one.

    `taken` is what the dispatcher is publishing.

    `wire` is a write that its dead sender left on the way, `cancelling` a task that a cancel has found unfinished and
    not yet ended; `stops`, `deferrals`, `failovers` and `outages` are how many may still come.
    """

    requests: tuple[Request, ...]
    rows: tuple[Row, ...]
    queue: tuple[int, ...]
    workers: tuple[Worker, ...]
    strays: tuple[int, ...]
    taken: int = -1
    wire: Lease | None = None
    cancelling: int = -1
    stops: int = 0
    deferrals: int = 0
    failovers: int = 0
    outages: int = 0

    def with_row(self, task: int, row: Row) -> "State":
        return self._replace(rows=(*self.rows[:task], row, *self.rows[task + 1 :]))

    def with_worker(self, number: int, worker: Worker) -> "State":
        return self._replace(workers=(*self.workers[:number], worker, *self.workers[number + 1 :]))

    def with_request(self, number: int, request: Request) -> "State":
        return self._replace(requests=(*self.requests[:number], request, *self.requests[number + 1 :]))

    def with_messages(self, task: int, count: int) -> "State":
        return self._replace(queue=(*self.queue[:task], count, *self.queue[task + 1 :]))

    def with_strays(self, task: int, count: int) -> "State":
        return self._replace(strays=(*self.strays[:task], count, *self.strays[task + 1 :]))


def holds_surely(worker: Worker, task: int) -> bool:
    """Whether this worker simulates the task and has neither slept nor been cut off since it last renewed."""
    lease = worker.lease
    return lease is not None and lease.task == task and worker.phase == "running" and worker.mode == "sure"
