"""The backend, the reaper, the client that cancels, and the loop that cancels the jobs of cancelled tasks."""

from collections.abc import Iterator

from tests.model.checker import Step
from tests.model.jobs.guards import JobGuards
from tests.model.jobs.scenarios import JobScenario
from tests.model.jobs.state import DONE, ENDED, KNOWN, MISSING, RUNNING, STOPPED, SUBMITTING, UNRECORDED, State, Sweep
from tests.model.state import CANCELLED, FAILED, PENDING, PROCESSING

Steps = Iterator[Step[State]]


def received(state: State, scenario: JobScenario) -> tuple[State, int]:
    """The state after a submission has reached the backend, and the id of the job."""
    if scenario.recognises and state.jobs:
        return state, 0
    return state._replace(jobs=(*state.jobs, RUNNING)), len(state.jobs)


def backend_steps(state: State, scenario: JobScenario) -> Steps:
    for number, status in enumerate(state.jobs):
        if status == RUNNING:
            yield Step(f"job {number} is done", True, state.with_job(number, DONE))
    if state.wire:
        landed = state._replace(wire=state.wire - 1)
        yield Step("a late request arrives", True, received(landed, scenario)[0])
        yield Step("a late request is lost", False, landed)


def lease_steps(state: State, scenario: JobScenario) -> Steps:
    """A lease ends when its worker is dead, or cut off from the database."""
    row = state.row
    if row.status != PROCESSING:
        return
    if not row.expired:
        yield Step("the lease ends", row.owner < 0, state.with_row(expired=True))
    else:
        exhausted = row.spent + 1 >= scenario.max_attempts
        # A worker that lives, but is cut off, has not recorded what becomes of its submission.
        doubt = row.doubt or (row.owner >= 0 and state.workers[row.owner].phase in UNRECORDED)
        status = FAILED if exhausted else PENDING
        reaped = state.with_row(owner=-1, expired=False, spent=row.spent + 1, status=status, doubt=doubt)
        if exhausted:
            reaped = reaped.with_row(ends=row.ends + 1, cause="worker lost")
        yield Step(f"reaper takes the task: {reaped.row.status}", True, reaped)


def cancel_steps(state: State, scenario: JobScenario) -> Steps:
    row = state.row
    if scenario.cancel and row.status in (PENDING, PROCESSING):
        cancelled = state.with_row(status=CANCELLED, owner=-1, expired=False, ends=row.ends + 1)
        yield Step("client cancels the task", False, cancelled)


def sweep_steps(state: State, scenario: JobScenario, guards: JobGuards) -> Steps:
    if state.row.status != CANCELLED:
        return
    sweep = state.sweep
    if sweep.phase == "idle":
        yield from _read(state, guards)
        return
    yield from {
        "looking": _look,
        "cancelling": _cancel,
        "over": _write,
        "missing": _give_up,
    }[sweep.phase](state, sweep, scenario, guards)
    if scenario.crash:
        yield Step(f"the canceller dies while {sweep.phase}", False, state._replace(sweep=Sweep()))


def _read(state: State, guards: JobGuards) -> Steps:
    row = state.row
    if row.remote == KNOWN:
        yield Step("the canceller reads the job's id", True, state._replace(sweep=Sweep("cancelling", row.job)))
    elif row.remote == SUBMITTING and guards.cancel_looks:
        looking = Sweep("looking", settled=_is_settled(state) or not guards.cancel_settled)
        yield Step("the canceller reads that there may be a job", True, state._replace(sweep=looking))


def _look(state: State, sweep: Sweep, scenario: JobScenario, guards: JobGuards) -> Steps:
    if scenario.finds and state.jobs:
        yield Step("the canceller finds the job by its token", True, state._replace(sweep=Sweep("cancelling", 0)))
    else:
        yield Step("the canceller finds no job", True, state._replace(sweep=sweep._replace(phase="missing")))


def _cancel(state: State, sweep: Sweep, scenario: JobScenario, guards: JobGuards) -> Steps:
    over = state._replace(sweep=sweep._replace(phase="over"))
    if state.jobs[sweep.job] == RUNNING:
        over = over.with_job(sweep.job, STOPPED)
    yield Step("the canceller cancels the job, or finds that it has ended", True, over)


def _write(state: State, sweep: Sweep, scenario: JobScenario, guards: JobGuards) -> Steps:
    idle = state._replace(sweep=Sweep())
    yield Step("the canceller records that the job has ended", True, idle.with_row(remote=ENDED, job=sweep.job))


def _give_up(state: State, sweep: Sweep, scenario: JobScenario, guards: JobGuards) -> Steps:
    """The job is looked for again until no submission can be under way."""
    idle = state._replace(sweep=Sweep())
    if sweep.settled:
        yield Step("the canceller records that it found no job", True, idle.with_row(remote=MISSING))
    else:
        yield Step("the canceller will look again", True, idle)


def _is_settled(state: State) -> bool:
    """Whether the calls of all submissions have ended: the limit on calls is shorter than the canceller's."""
    return not state.wire and not any(worker.phase == "committed" for worker in state.workers)
