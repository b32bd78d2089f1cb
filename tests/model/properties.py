"""The properties that hold in every state: functions of its rows, histories, and responses to clients and workers."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

from tests.model.checker import Invariant
from tests.model.scenarios import Scenario
from tests.model.state import (
    ABSENT,
    CANCELLED,
    MOVES,
    PENDING,
    PROCESSING,
    TERMINAL,
    Line,
    Row,
    State,
    holds_surely,
)

STORED = "an acknowledged task is stored"
REJECTION_TRUE = "a rejected submit is not stored"
ONE_KEY = "one key, one task"
ONE_TERMINAL = "at most one terminal status"
RECORDED_BY_LEASE = "an outcome is recorded under the lease that history names last"
LEGAL = "history is a legal path"
ATTEMPT_GROWS = "the attempt strictly grows"
NO_STALE_WRITE = "a stale lease changes nothing"
REPORT_TRUE = "what a worker reports is true"
NO_EARLY_REAP = "a lease is taken away only when it is over, and from no worker that renews it"
NOT_BLAMED = "an attempt that an outage ended does not count"
BOUNDED = "attempts and lost workers stay within their budgets"
DELAY_KEPT = "no attempt begins before its delay is over"
ONE_SIMULATION = "one simulation of a task at a time, unless a worker was frozen or cut off"
OWN_QUEUE = "a slot runs only tasks of the queue that its message was on"
UNSERVED_WAIT = "a task whose queue no worker takes waits"
FINISHES = "every stored task reaches a terminal status once faults stop"


def acknowledged_is_stored(state: State) -> bool:
    return all(
        request.task >= 0 and bool(state.rows[request.task].status)
        for request in state.requests
        if request.phase == "acknowledged"
    )


def rejection_is_true(state: State) -> bool:
    return not any(
        request.phase == "rejected" and state.rows[number].status for number, request in enumerate(state.requests)
    )


def one_key_one_task(state: State) -> bool:
    return sum(bool(row.status) for row in state.rows) <= 1


def at_most_one_terminal(row: Row) -> bool:
    return sum(line.status in TERMINAL for line in row.history) <= 1


def recorded_by_its_lease(row: Row) -> bool:
    """The line of an outcome names the attempt and token of the last claim before it."""
    claimed: Line | None = None
    for line in row.history:
        if line.status == PROCESSING:
            claimed = line
        elif line.writer == "worker" and line.status in TERMINAL and (claimed is None or claimed[1:] != line[1:]):
            return False
    return True


def history_is_legal(row: Row) -> bool:
    path = [line.status for line in row.history]
    if not path:
        return not row.status
    return (
        path[0] == PENDING
        and path[-1] == row.status
        and all(after in MOVES[before] for before, after in pairwise(path))
    )


def attempt_strictly_grows(row: Row) -> bool:
    attempts = [line.attempt for line in row.history if line.status == PROCESSING]
    return all(before < after for before, after in pairwise(attempts))


def reports_are_true(state: State) -> bool:
    return not any(
        worker.lease is not None
        and worker.phase in ("recorded", "fenced")
        and _recorded(state, worker.lease.task, worker.lease.token) != (worker.phase == "recorded")
        for worker in state.workers
    )


def _recorded(state: State, task: int, token: int) -> bool:
    last = state.rows[task].history[-1]
    return last.status in TERMINAL and last.writer == "worker" and last.token == token


def one_simulation_at_a_time(state: State) -> bool:
    return all(sum(holds_surely(worker, task) for worker in state.workers) <= 1 for task in range(len(state.rows)))


def runs_own_queue(scenario: Scenario) -> Invariant[State]:
    """Every slot works on a task of the queue that its message was on."""

    def holds(state: State) -> bool:
        return all(
            worker.lease is None or scenario.queues[worker.lease.task] == scenario.queue_of(worker.task, worker.stray)
            for worker in state.workers
        )

    return holds


def unserved_wait(scenario: Scenario) -> Invariant[State]:
    """A task whose queue nobody takes stays pending, unless a client cancels it."""
    unserved = [task for task in range(scenario.tasks) if not scenario.is_served(scenario.queues[task])]
    return lambda state: all(state.rows[task].status in (ABSENT, PENDING, CANCELLED) for task in unserved)


def finished(scenario: Scenario) -> Callable[[State], bool]:
    """The goal of every run: nothing that is stored, on a queue that a worker takes, is still open."""
    served = [task for task in range(scenario.tasks) if scenario.is_served(scenario.queues[task])]
    return lambda state: all(not state.rows[task].status or state.rows[task].status in TERMINAL for task in served)


def invariants(scenario: Scenario) -> dict[str, Invariant[State]]:
    """All properties of states; those of keys and of queues only where there are such."""

    def of_rows(holds: Invariant[Row]) -> Invariant[State]:
        checked = cache(holds)  # a row is part of many states
        return lambda state: all(map(checked, state.rows))

    properties: dict[str, Invariant[State]] = {
        STORED: acknowledged_is_stored,
        REJECTION_TRUE: rejection_is_true,
        ONE_TERMINAL: of_rows(at_most_one_terminal),
        RECORDED_BY_LEASE: of_rows(recorded_by_its_lease),
        LEGAL: of_rows(history_is_legal),
        ATTEMPT_GROWS: of_rows(attempt_strictly_grows),
        NO_STALE_WRITE: of_rows(lambda row: not row.stale_write),
        REPORT_TRUE: reports_are_true,
        NO_EARLY_REAP: of_rows(lambda row: not row.early_reap),
        NOT_BLAMED: of_rows(lambda row: not row.blamed),
        BOUNDED: of_rows(lambda row: row.spent <= scenario.max_attempts and row.lost <= scenario.crash_budget),
        DELAY_KEPT: of_rows(lambda row: row.status != PROCESSING or row.available),
        ONE_SIMULATION: one_simulation_at_a_time,
    }
    if scenario.same_key:
        properties[ONE_KEY] = one_key_one_task
    if len(set(scenario.queues)) > 1:
        properties |= {OWN_QUEUE: runs_own_queue(scenario), UNSERVED_WAIT: unserved_wait(scenario)}
    return properties
