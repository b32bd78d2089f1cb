"""One state of a task that runs on an external backend: its row, the backend, two workers and the cancelling loop."""

from typing import NamedTuple

from tests.model.state import PENDING

# What the row says of the task's job. SUBMITTING: a submission may have begun, and there is no id yet.
NO_JOB = ""
SUBMITTING = "submitting"
KNOWN = "known"
# Of a cancelled task: its job has ended, or none was found, and the log says so.
ENDED = "ended"
MISSING = "missing"

# Of a job at the backend.
RUNNING = "running"
DONE = "done"
STOPPED = "cancelled"


# The phases of a worker that has committed a submission, and not yet what became of it.
UNRECORDED = ("committed", "answered", "unavailable")


class Row(NamedTuple):
    """The task. `owner` is the worker whose lease is the current one, or -1; only it passes the fence.

    `job` is the recorded id, or -1. The last four fields are the observer's: the number of terminal statuses written,
    whether the outcome is not that of the task's job, the cause of a failure, and whether some worker did not learn, or
    could not record, what became of its submission.
    """

    status: str = PENDING
    owner: int = -1
    expired: bool = False
    spent: int = 0
    remote: str = NO_JOB
    job: int = -1
    ends: int = 0
    wrong: bool = False
    cause: str = ""
    doubt: bool = False


class Worker(NamedTuple):
    """One attempt. Phases: idle; looking (for the job by its token); ready (to submit); committed (that it submits);
    answered (has the id); unavailable (the request did not arrive); deferring; following (polls); ended (has the
    outcome); undecided (nobody can tell whether there is a job).

    `job` is the id that it knows, or -1; `fresh`: no request of this task has been sent before.
    """

    phase: str = "idle"
    job: int = -1
    fresh: bool = False


class Sweep(NamedTuple):
    """The loop that cancels jobs of cancelled tasks. Phases: idle, looking (by the token), cancelling, over (the job
    has ended), missing (none was found).

    `job` is the job that it is about, or -1; `settled`: when it read the row, no submission was under way any more.
    """

    phase: str = "idle"
    job: int = -1
    settled: bool = False


class State(NamedTuple):
    """Everything. `jobs` are the statuses of the jobs at the backend, `wire` counts submissions that are on the way."""

    row: Row = Row()
    workers: tuple[Worker, ...] = (Worker(), Worker())
    jobs: tuple[str, ...] = ()
    wire: int = 0
    sweep: Sweep = Sweep()

    def with_worker(self, number: int, worker: Worker) -> "State":
        return self._replace(workers=(*self.workers[:number], worker, *self.workers[number + 1 :]))

    def with_row(self, **fields: object) -> "State":
        return self._replace(row=self.row._replace(**fields))  # type: ignore[arg-type]

    def with_job(self, number: int, status: str) -> "State":
        return self._replace(jobs=(*self.jobs[:number], status, *self.jobs[number + 1 :]))
