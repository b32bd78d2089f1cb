"""The properties of a job on an external backend."""

from tests.model.checker import Invariant
from tests.model.jobs.scenarios import JobScenario
from tests.model.jobs.state import KNOWN, MISSING, NO_JOB, RUNNING, SUBMITTING, State
from tests.model.state import CANCELLED, COMPLETED, FAILED, TERMINAL

ONCE = "no task is submitted twice"
RECORDED_ONCE = "an outcome is recorded once, and is that of the task's job"
ID_TRUE = "a recorded id is that of a job at the backend"
NOT_FORGOTTEN = "a job at the backend is known to the row, or may be looked for"
TRULY_UNKNOWN = "a task fails as unknown only if a worker did not learn what became of its submission"
CANCELLED_TOO = "the job of a cancelled task is cancelled, or known to be unknown"
JOB_FINISHES = "every task ends, and every job of a cancelled task, once faults stop"


def job_invariants(scenario: JobScenario) -> dict[str, Invariant[State]]:
    """All properties of states."""
    return {
        ONCE: lambda state: len(state.jobs) <= 1,
        RECORDED_ONCE: lambda state: state.row.ends <= 1 and not state.row.wrong,
        ID_TRUE: lambda state: state.row.job < len(state.jobs),
        NOT_FORGOTTEN: lambda state: not state.jobs or state.row.status in TERMINAL or state.row.remote != NO_JOB,
        TRULY_UNKNOWN: lambda state: is_truly_unknown(state, scenario),
        CANCELLED_TOO: lambda state: is_cancelled_too(state, scenario),
    }


def is_truly_unknown(state: State, scenario: JobScenario) -> bool:
    """Where the backend recognises tokens, no task fails as unknown: it can be submitted again."""
    return state.row.cause != "outcome unknown" or (state.row.doubt and not scenario.recognises)


def is_cancelled_too(state: State, scenario: JobScenario) -> bool:
    """Once nothing is left to do for a cancelled task, no job of it runs, unless the backend finds no tokens."""
    remote = state.row.remote
    if state.row.status != CANCELLED or remote in (SUBMITTING, KNOWN) or RUNNING not in state.jobs:
        return True
    return remote == MISSING and not scenario.finds


def job_finished(state: State) -> bool:
    """The goal of every run: the task has ended, and so has what was to be done about its job."""
    row = state.row
    if row.status == CANCELLED:
        return row.remote not in (SUBMITTING, KNOWN)
    return row.status in (COMPLETED, FAILED)
