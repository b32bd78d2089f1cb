"""A worker with a task of an external backend: claim, look up, submit, follow and record; and what strikes it."""

from collections.abc import Iterator

from tests.model.checker import Step
from tests.model.jobs.guards import JobGuards
from tests.model.jobs.remote import received
from tests.model.jobs.scenarios import JobScenario
from tests.model.jobs.state import DONE, KNOWN, NO_JOB, RUNNING, SUBMITTING, UNRECORDED, State, Worker
from tests.model.state import COMPLETED, FAILED, PENDING, PROCESSING, TERMINAL

Steps = Iterator[Step[State]]
IDLE = Worker()
MAX_ON_THE_WAY = 1


def worker_steps(state: State, number: int, scenario: JobScenario, guards: JobGuards) -> Steps:
    worker = state.workers[number]
    if worker.phase == "idle":
        yield from _claim(state, number, guards)
        return
    yield from _PHASES[worker.phase](state, number, worker, scenario, guards)
    yield from _loss(state, number, worker, scenario, guards)


def _claim(state: State, number: int, guards: JobGuards) -> Steps:
    row = state.row
    if row.status != PENDING:
        return
    if row.remote == KNOWN:
        worker = Worker("following", row.job)
    elif row.remote == SUBMITTING:
        worker = Worker("looking" if guards.reattach_first else "ready")
    else:
        worker = Worker("ready", fresh=True)
    claimed = state.with_row(status=PROCESSING, owner=number, expired=False).with_worker(number, worker)
    yield Step(f"worker {number} claims the task, which has {_said(row.remote)}", True, claimed)


def _said(remote: str) -> str:
    return {NO_JOB: "no job", SUBMITTING: "perhaps a job", KNOWN: "a job"}[remote]


def _look(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    if scenario.finds and state.jobs:
        found = state.with_worker(number, Worker("answered", 0))
        yield Step(f"worker {number} finds the job by its token", True, found)
    elif scenario.recognises or not guards.unknown_fails:
        again = state.with_worker(number, Worker("ready"))
        yield Step(f"worker {number} finds no job, and may submit again", True, again)
    else:
        undecided = state.with_worker(number, Worker("undecided"))
        yield Step(f"worker {number} learns that nobody can tell whether there is a job", True, undecided)
    if scenario.unavailable:
        label = f"worker {number} cannot look for the job"
        yield Step(label, False, state.with_worker(number, Worker("deferring")))


def _commit(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    committed = worker._replace(phase="committed")
    if not guards.remote_before:
        yield Step(f"worker {number} submits without a commit", True, state.with_worker(number, committed))
    elif _holds(state, number) or not guards.remote_fence:
        recorded = state.with_row(remote=SUBMITTING, job=-1).with_worker(number, committed)
        yield Step(f"worker {number} commits that it submits", True, recorded)


def _call(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    arrived, job = received(state, scenario)
    answered = arrived.with_worker(number, worker._replace(phase="answered", job=job))
    yield Step(f"worker {number} submits, and has the answer", True, answered)
    if scenario.lost_answers:
        outcomes = {"the answer": arrived, "the request": state}
        for what, after in outcomes.items():
            looking = after.with_row(doubt=True).with_worker(number, Worker("looking"))
            yield Step(f"worker {number} submits, and {what} is lost", False, looking)
        if state.wire < MAX_ON_THE_WAY:
            late = state.with_row(doubt=True)._replace(wire=state.wire + 1).with_worker(number, Worker("looking"))
            yield Step(f"worker {number} submits, and the request is late", False, late)
    if scenario.unavailable:
        rejected = state.with_worker(number, worker._replace(phase="unavailable"))
        yield Step(f"worker {number} submits, and the backend takes no jobs now", False, rejected)


def _record(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    following = state.with_worker(number, worker._replace(phase="following"))
    if not guards.remote_id:
        yield Step(f"worker {number} follows the job without a commit", True, following)
    elif _holds(state, number) or (not guards.remote_fence and state.row.status not in TERMINAL):
        label = f"worker {number} commits the job's id{'' if _holds(state, number) else ' without a lease'}"
        yield Step(label, True, following.with_row(remote=KNOWN, job=worker.job))


def _take_back(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    deferring = state.with_worker(number, Worker("deferring"))
    sent = guards.remote_nothing_sent and not worker.fresh
    if sent or not guards.remote_not_submitted:
        yield Step(f"worker {number} leaves the job to be looked for", True, deferring)
    elif _holds(state, number) or not guards.remote_fence:
        label = f"worker {number} commits that there is no job{'' if _holds(state, number) else ', without a lease'}"
        yield Step(label, True, deferring.with_row(remote=NO_JOB, job=-1))


def _defer(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    if _holds(state, number):
        pending = state.with_row(status=PENDING, owner=-1, expired=False)
        yield Step(f"worker {number} defers the task", True, pending.with_worker(number, IDLE))


def _follow(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    if state.jobs[worker.job] != RUNNING:
        ended = state.with_worker(number, worker._replace(phase="ended"))
        yield Step(f"worker {number} learns that the job has ended", True, ended)


def _finish(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    done = state.jobs[worker.job] == DONE
    yield from _end(state, number, guards, COMPLETED if done else FAILED, "" if done else "job cancelled")


def _give_up(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    yield from _end(state, number, guards, FAILED, "outcome unknown")


def _end(state: State, number: int, guards: JobGuards, status: str, cause: str) -> Steps:
    if _holds(state, number) or not guards.outcome_fence:
        row = state.row
        wrong = status == COMPLETED and state.workers[number].job != 0
        ended = state.with_row(status=status, owner=-1, expired=False, ends=row.ends + 1, wrong=wrong, cause=cause)
        yield Step(f"worker {number} records: {cause or status}", True, ended.with_worker(number, IDLE))


def _loss(state: State, number: int, worker: Worker, scenario: JobScenario, guards: JobGuards) -> Steps:
    """The worker dies, is stopped, or learns that its lease is lost; what it was submitting may still arrive."""
    for how, gone in _gone(state, number, worker, scenario):
        if not _holds(state, number):
            label = f"worker {number} learns while {worker.phase} that its lease is lost{how}"
            yield Step(label, not how, gone)
        elif scenario.stop:
            handed_back = gone.with_row(status=PENDING, owner=-1, expired=False)
            yield Step(f"worker {number} is stopped while {worker.phase}{how}", False, handed_back)
        if scenario.crash:
            orphan = gone.with_row(owner=-1) if _holds(state, number) else gone
            yield Step(f"worker {number} dies while {worker.phase}{how}", False, orphan)
    if _holds(state, number) and state.row.expired:
        yield Step(f"worker {number} renews its lease", True, state.with_row(expired=False))


def _gone(state: State, number: int, worker: Worker, scenario: JobScenario) -> Iterator[tuple[str, State]]:
    gone = state.with_worker(number, IDLE)
    if worker.phase in UNRECORDED:
        gone = gone.with_row(doubt=True)
    yield "", gone
    if worker.phase == "committed":
        yield ", its request arrives", received(gone, scenario)[0]
        if scenario.lost_answers and state.wire < MAX_ON_THE_WAY:
            yield ", its request is late", gone._replace(wire=state.wire + 1)


def _holds(state: State, number: int) -> bool:
    return state.row.status == PROCESSING and state.row.owner == number


_PHASES = {
    "looking": _look,
    "ready": _commit,
    "committed": _call,
    "answered": _record,
    "unavailable": _take_back,
    "deferring": _defer,
    "following": _follow,
    "ended": _finish,
    "undecided": _give_up,
}
