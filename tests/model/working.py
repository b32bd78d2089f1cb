"""A worker slot: receive, claim, run, renew, record, acknowledge; and crash, freeze or stop at each step."""

from collections.abc import Iterator, Mapping

from tests.model import statements
from tests.model.checker import Step
from tests.model.guards import Guards
from tests.model.scenarios import Scenario
from tests.model.state import Lease, Row, State, Worker

Steps = Iterator[Step[State]]
IDLE = Worker()


def worker_steps(state: State, number: int, scenario: Scenario, guards: Guards) -> Steps:
    worker = state.workers[number]
    if worker.mode == "frozen":
        yield from _frozen(state, number, worker, scenario)
        return
    match worker.phase:
        case "idle":
            yield from _receive(state, number, scenario)
            return
        case "holding":
            yield from _claim(state, number, worker, scenario, guards)
        case "running":
            yield from _run(state, number, worker, scenario, guards)
        case "unsure":
            yield from _repeat(state, number, worker, scenario, guards)
        case _:
            yield Step(f"worker {number} acknowledges", True, state.with_worker(number, IDLE))
    yield from _strikes(state, number, worker, scenario)


def wire_steps(state: State, scenario: Scenario, guards: Guards) -> Steps:
    """The write of a process that died after sending it."""
    if (lease := state.wire) is None:
        return
    row = statements.finish(state.rows[lease.task], guards, lease, scenario.program)
    landed = state._replace(wire=None)
    label = f"the dead worker's write arrives: {'it takes effect' if row else 'no row matches'}"
    yield Step(label, False, landed.with_row(lease.task, row) if row else landed)


def _receive(state: State, number: int, scenario: Scenario) -> Steps:
    taken = scenario.takes[number]
    for task, count in enumerate(state.queue):
        if count and scenario.queues[task] in taken:
            holding = Worker(phase="holding", task=task, held=True)
            label = f"worker {number} receives task {task}"
            yield Step(label, True, state.with_messages(task, count - 1).with_worker(number, holding))
    for task, count in enumerate(state.strays):
        if count and scenario.queue_of(task, True) in taken:
            holding = Worker(phase="holding", task=task, held=True, stray=True)
            label = f"worker {number} receives task {task} on the wrong queue"
            yield Step(label, True, state.with_strays(task, count - 1).with_worker(number, holding))


def _claim(state: State, number: int, worker: Worker, scenario: Scenario, guards: Guards) -> Steps:
    rows = _claimable(state, number, worker, scenario, guards)
    if not rows:
        label = f"worker {number} finds nothing to claim and acknowledges"
        yield Step(label, True, state.with_worker(number, IDLE))
    for task, row in rows.items():
        lease = Lease(task, row.attempt, row.token, row.claims)
        running = worker._replace(phase="running", lease=lease, held=worker.held and guards.late_acknowledge)
        claimed = state.with_row(task, row)
        instead = "" if task == worker.task else f" in place of task {worker.task}"
        label = f"worker {number} claims task {task}{instead}"
        yield Step(label, True, claimed.with_worker(number, running))
        if scenario.cut:
            # The repeated claim finds the row processing: nobody knows of the lease.
            lost = f"{label}, the connection breaks, the repeat finds nothing"
            yield Step(lost, False, claimed.with_worker(number, IDLE))


def _claimable(state: State, number: int, worker: Worker, scenario: Scenario, guards: Guards) -> Mapping[int, Row]:
    """The message's own task after its claim; if it cannot be claimed, each dispatched task of the same queue.

    Where projects take turns, it may be any of these: the model of turns has which.
    """
    named: dict[int, Row] = {}
    if not (worker.stray and guards.claim_queue) and (own := statements.claim(state.rows[worker.task], guards, number)):
        named = {worker.task: own}
    if named and not scenario.turns:
        return named
    queue = scenario.queue_of(worker.task, worker.stray)
    return named | {
        task: claimed
        for task, row in enumerate(state.rows)
        if row.due == "sent" and (scenario.queues[task] == queue or not guards.another_queue)
        if (claimed := statements.claim(row, guards, number))
    }


def _run(state: State, number: int, worker: Worker, scenario: Scenario, guards: Guards) -> Steps:
    lease = _lease(worker)
    row = state.rows[lease.task]
    if scenario.program == "poison":
        yield Step(f"the program kills worker {number}", True, _died(state, number, worker, scenario))
        return
    yield from _finish(state, number, worker, scenario, guards)
    yield from _renew(state, number, worker, row, guards)
    if scenario.cut and worker.mode != "late":
        label = f"worker {number} cannot renew in time, and continues"
        yield Step(label, False, state.with_worker(number, worker._replace(mode="late")))
    if scenario.program == "flaky":
        yield _lose_simulator(state, number, worker, row, scenario, guards)
    if state.deferrals:
        yield _defer(state, number, worker, row, guards)
    if state.stops:
        yield _stop(state, number, worker, row, scenario, guards)


def _finish(state: State, number: int, worker: Worker, scenario: Scenario, guards: Guards) -> Steps:
    lease = _lease(worker)
    row = statements.finish(state.rows[lease.task], guards, lease, scenario.program)
    if row is None:
        label = f"worker {number} tries to record its outcome: fenced off"
        yield Step(label, True, state.with_worker(number, worker._replace(phase="fenced")))
        return
    recorded = state.with_row(lease.task, row)
    label = f"worker {number} records its outcome of task {lease.task}"
    yield Step(label, True, recorded.with_worker(number, worker._replace(phase="recorded")))
    if scenario.cut:
        unsure = recorded.with_worker(number, worker._replace(phase="unsure"))
        yield Step(f"{label}, the connection breaks", False, unsure)


def _repeat(state: State, number: int, worker: Worker, scenario: Scenario, guards: Guards) -> Steps:
    lease = _lease(worker)
    row = state.rows[lease.task]
    written = statements.finish(row, guards, lease, scenario.program)
    known = written is None and guards.own_outcome and statements.is_settled(row, lease)
    phase = "recorded" if written or known else "fenced"
    label = f"worker {number} repeats its write: {phase}"
    yield Step(
        label, True, state.with_row(lease.task, written or row).with_worker(number, worker._replace(phase=phase))
    )


def _renew(state: State, number: int, worker: Worker, row: Row, guards: Guards) -> Steps:
    """Only renewals that change something: of a lease that is or may be over, or of one that is another's."""
    lease = _lease(worker)
    renewed = statements.renew(row, guards, lease)
    if renewed is None:
        label = f"worker {number} has lost its lease and kills its simulation"
        yield Step(label, True, state.with_worker(number, worker._replace(phase="fenced")))
    elif renewed != row or worker.mode == "late":
        again = state.with_row(lease.task, renewed).with_worker(number, worker._replace(mode="sure"))
        yield Step(f"worker {number} renews{' a lease that has expired' if row.expired else ''}", True, again)


def _lose_simulator(
    state: State, number: int, worker: Worker, row: Row, scenario: Scenario, guards: Guards
) -> Step[State]:
    lease = _lease(worker)
    written = statements.retry(row, guards, lease, scenario)
    label = f"worker {number} loses its simulator and hands task {lease.task} back: "
    settled = state.with_worker(number, worker._replace(phase="returned"))
    if written is None:
        return Step(f"{label}no row matches", False, settled)
    return Step(f"{label}{written.status}", False, settled.with_row(lease.task, written))


def _defer(state: State, number: int, worker: Worker, row: Row, guards: Guards) -> Step[State]:
    lease = _lease(worker)
    deferred = statements.defer(row, guards, lease)
    label = f"worker {number} defers task {lease.task}{'' if deferred else ': no row matches'}"
    settled = state.with_worker(number, worker._replace(phase="returned"))._replace(deferrals=state.deferrals - 1)
    return Step(label, False, settled.with_row(lease.task, deferred) if deferred else settled)


def _stop(state: State, number: int, worker: Worker, row: Row, scenario: Scenario, guards: Guards) -> Step[State]:
    lease = _lease(worker)
    released = statements.release(row, guards, lease)
    label = f"worker {number} is stopped and hands task {lease.task} back{'' if released else ': no row matches'}"
    gone = _died(state, number, worker, scenario)._replace(stops=state.stops - 1)
    return Step(label, False, gone.with_row(lease.task, released) if released else gone)


def _strikes(state: State, number: int, worker: Worker, scenario: Scenario) -> Steps:
    dead = _died(state, number, worker, scenario)
    if scenario.crash:
        yield Step(f"worker {number} crashes while {worker.phase}", False, dead)
        if scenario.wire and worker.phase == "running" and state.wire is None:
            label = f"worker {number} crashes just after sending its outcome"
            yield Step(label, False, dead._replace(wire=worker.lease))
    if scenario.freeze and worker.phase in ("holding", "running", "unsure"):
        frozen = worker._replace(mode="frozen")
        yield Step(f"worker {number} freezes while {worker.phase}", False, state.with_worker(number, frozen))


def _frozen(state: State, number: int, worker: Worker, scenario: Scenario) -> Steps:
    mode = "sure" if worker.phase == "holding" else "late"
    # A worker may sleep for ever, but not all that take a queue.
    fair = any(_all_frozen(state, scenario, queue) for queue in scenario.takes[number])
    yield Step(f"worker {number} resumes", fair, state.with_worker(number, worker._replace(mode=mode)))
    if worker.held:
        returned = _returned(state, worker, scenario).with_worker(number, worker._replace(held=False))
        yield Step(f"broker takes the message back from worker {number}", False, returned)
    if scenario.crash:
        yield Step(f"worker {number} is killed while frozen", False, _died(state, number, worker, scenario))


def _died(state: State, number: int, worker: Worker, scenario: Scenario) -> State:
    """The slot after the end of its process and the start of the next: memory gone, message back at the broker."""
    return _returned(state, worker, scenario).with_worker(number, IDLE)


def _returned(state: State, worker: Worker, scenario: Scenario) -> State:
    if not worker.held:
        return state
    if worker.stray:
        return state.with_strays(worker.task, min(state.strays[worker.task] + 1, scenario.messages))
    return state.with_messages(worker.task, min(state.queue[worker.task] + 1, scenario.messages))


def _all_frozen(state: State, scenario: Scenario, queue: str) -> bool:
    return all(
        worker.mode == "frozen" for worker, taken in zip(state.workers, scenario.takes, strict=True) if queue in taken
    )


def _lease(worker: Worker) -> Lease:
    assert worker.lease is not None, f"a worker that is {worker.phase} has no lease"
    return worker.lease
