"""The dispatcher, the broker, the clock and the reaper; and what strikes all of them at once."""

from collections.abc import Iterator

from tests.model import statements
from tests.model.checker import Step
from tests.model.guards import Guards
from tests.model.scenarios import Scenario
from tests.model.state import PENDING, PROCESSING, Row, State, Worker, holds_surely

Steps = Iterator[Step[State]]


def dispatch_steps(state: State, scenario: Scenario, guards: Guards) -> Steps:
    if (task := state.taken) < 0:
        yield from _take(state, scenario, guards)
        return
    published = state.with_messages(task, min(state.queue[task] + 1, scenario.messages))
    yield Step(f"dispatcher publishes task {task}", True, published._replace(taken=-1))
    if scenario.api_crash or scenario.broker_faults:
        yield Step(f"dispatcher dies before task {task} is published", False, state._replace(taken=-1))
    if scenario.broker_faults:
        yield Step(f"broker rejects task {task}", False, _postponed(state, task))


def _take(state: State, scenario: Scenario, guards: Guards) -> Steps:
    """What is new, and what was sent when more tasks were sent than messages wait; or any, once long overdue."""
    for task, row in enumerate(state.rows):
        if row.status != PENDING or not row.due or not row.available:
            continue
        missing = _is_missing(state, scenario, task, guards)
        marked = state.with_row(task, row._replace(due="sent" if guards.redispatch else ""))
        again = "" if row.due == "new" else " again" if missing else " again, long overdue"
        yield Step(f"dispatcher takes task {task}{again}", row.due == "new" or missing, marked._replace(taken=task))


def _is_missing(state: State, scenario: Scenario, task: int, guards: Guards) -> bool:
    """Whether more tasks of this task's queue were sent than messages wait there."""
    queue = scenario.queues[task]

    def counts(other: int, stray: bool) -> bool:
        return not guards.missing_by_queue or scenario.queue_of(other, stray) == queue

    sent = sum(row.due == "sent" for other, row in enumerate(state.rows) if counts(other, False))
    waiting = sum(count for other, count in enumerate(state.queue) if counts(other, False))
    stray = sum(count for other, count in enumerate(state.strays) if count and counts(other, True))
    return sent > waiting + stray


def _postponed(state: State, task: int) -> State:
    row = state.rows[task]
    return (state.with_row(task, row._replace(due="new")) if row.status == PENDING else state)._replace(taken=-1)


def broker_steps(state: State, scenario: Scenario) -> Steps:
    if scenario.misroutes:
        yield from _misroute(state, scenario)
    if not scenario.broker_faults:
        return
    for task, count in enumerate(state.queue):
        if count:
            yield Step(f"broker loses a message of task {task}", False, state.with_messages(task, count - 1))
        if 0 < count < scenario.messages:
            yield Step(f"broker repeats a message of task {task}", False, state.with_messages(task, count + 1))


def _misroute(state: State, scenario: Scenario) -> Steps:
    for task, count in enumerate(state.queue):
        if count and state.strays[task] < scenario.messages:
            moved = state.with_messages(task, count - 1).with_strays(task, state.strays[task] + 1)
            yield Step(f"a message of task {task} moves to the wrong queue", False, moved)


def clock_steps(state: State) -> Steps:
    for task, row in enumerate(state.rows):
        if row.status == PENDING and not row.available:
            yield Step(f"delay of task {task} passes", True, state.with_row(task, row._replace(available=True)))
        if row.status == PROCESSING and not row.expired:
            yield from _expiry(state, task, row)


def reap_steps(state: State, scenario: Scenario, guards: Guards) -> Steps:
    if not guards.reaper:
        return
    for task, row in enumerate(state.rows):
        held = any(holds_surely(worker, task) for worker in state.workers)
        if reaped := statements.reap(row, guards, scenario, held=held):
            label = f"reaper takes task {task}: {reaped.status}{'' if reaped.spent > row.spent else ', at no cost'}"
            yield Step(label, True, state.with_row(task, reaped))


def restart_steps(state: State, scenario: Scenario) -> Steps:
    """Embedded: everything but the database is one process, which starts afresh; or dies once more before it has."""
    if not scenario.embedded:
        return
    requests = tuple(
        request._replace(phase="unanswered") if request.phase in ("unsure", "stored") else request
        for request in state.requests
    )
    nothing = (0,) * len(state.queue)
    idle = (Worker(),) * len(state.workers)
    bare = state._replace(requests=requests, queue=nothing, strays=nothing, workers=idle, taken=-1)
    yield Step("the whole process is killed, and again before it has started afresh", False, bare)
    afresh = bare._replace(rows=tuple(map(statements.start_afresh, state.rows)))
    yield Step("the whole process is killed and starts afresh", False, afresh)


def failover_steps(state: State) -> Steps:
    """The copy lacks the last claim. Whoever holds it is from now on in doubt."""
    if not state.failovers:
        return
    for task, row in enumerate(state.rows):
        if row.status == PROCESSING:
            yield Step(f"database falls back to before the claim of task {task}", False, _fallen_back(state, task, row))


def _fallen_back(state: State, task: int, row: Row) -> State:
    history = row.history[:-1]
    before = max((line.attempt for line in history), default=0)
    token = max((line.token for line in history), default=0)
    unclaimed = row._replace(status=PENDING, attempt=before, token=token, expired=False, due="new", history=history)
    workers = tuple(worker._replace(mode="late") if holds_surely(worker, task) else worker for worker in state.workers)
    return state.with_row(task, unclaimed)._replace(workers=workers, failovers=state.failovers - 1)


def outage_steps(state: State) -> Steps:
    """No lease can be renewed, and all run out; whoever runs a task continues."""
    if state.outages and any(row.status == PROCESSING for row in state.rows):
        rows = tuple(map(statements.run_out_in_outage, state.rows))
        yield Step(
            "database is down for longer than a lease", False, state._replace(rows=rows, outages=state.outages - 1)
        )


def _expiry(state: State, task: int, row: Row) -> Steps:
    """A lease ends when nobody renews it: its holder is dead, frozen, late, or never learned of its claim."""
    if not any(holds_surely(worker, task) for worker in state.workers):
        yield Step(f"lease of task {task} ends", True, state.with_row(task, row._replace(expired=True)))
