"""The properties that hold in every state: functions of its rows, histories, and responses to clients and workers."""

from itertools import pairwise

from tests.model.checker import Invariant
from tests.model.scenarios import Scenario
from tests.model.state import MOVES, PENDING, PROCESSING, TERMINAL, Line, Row, State, holds_surely

STORED = "an acknowledged task is stored"
REFUSAL_TRUE = "a rejected submit is not stored"
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
FINISHES = "every stored task reaches a terminal status once faults stop"


def acknowledged_is_stored(state: State) -> bool:
    return all(
        request.task >= 0 and bool(state.rows[request.task].status)
        for request in state.requests
        if request.phase == "acknowledged"
    )


def refusal_is_true(state: State) -> bool:
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
        and _recorded(state, worker.task, worker.lease.token) != (worker.phase == "recorded")
        for worker in state.workers
    )


def _recorded(state: State, task: int, token: int) -> bool:
    last = state.rows[task].history[-1]
    return last.status in TERMINAL and last.writer == "worker" and last.token == token


def one_simulation_at_a_time(state: State) -> bool:
    return all(sum(holds_surely(worker, task) for worker in state.workers) <= 1 for task in range(len(state.rows)))


def finished(state: State) -> bool:
    """The goal of every run: nothing that is stored is still open."""
    return all(not row.status or row.status in TERMINAL for row in state.rows)


def invariants(scenario: Scenario) -> dict[str, Invariant[State]]:
    """All properties of states; those of keys only where submits share one."""

    def of_rows(holds: Invariant[Row]) -> Invariant[State]:
        return lambda state: all(map(holds, state.rows))

    properties: dict[str, Invariant[State]] = {
        STORED: acknowledged_is_stored,
        REFUSAL_TRUE: refusal_is_true,
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
    return properties | ({ONE_KEY: one_key_one_task} if scenario.same_key else {})
