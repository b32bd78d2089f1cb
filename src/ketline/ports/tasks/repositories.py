"""The stored tasks and their history: one port for each kind of caller, all implemented by one adapter.

Every method is one transaction, committed when it returns and without effect when it raises `DatabaseUnavailable`
(except if the connection is lost during COMMIT, when the outcome is unknown). Times are the database's. Every change of
status appends exactly one line of history in the same transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol, Self

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Claim, Dispatch, Lease, Reaped
from ketline.domain.attempts.leases import NOW, Expiry, LeaseSurvey
from ketline.domain.errors import MachineBusy
from ketline.domain.failures import Failure
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.results.result import RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.remote_job import JobToCancel, RemoteJob
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.domain.tasks.task import StatusChange, Task


class TaskSubmissions(Protocol):
    """Stores and cancels tasks of a project, for requests of clients; a task of another project is not found."""

    def within(self, project: ProjectName) -> Self:
        """Return the port for the tasks of another project."""
        ...

    async def add(self, submission: Submission, *, taken: bool = False, limited: bool = False) -> Accepted:
        """Store a pending task that is due for dispatch at once, or that is already taken for dispatch if `taken`.

        A task that is scheduled for later is neither: it is available, and due, when its time comes, and a held task
        when it is released. Of any number of submissions under one idempotency key one creates a task, and
        all return that task. If it is `limited`, the quotas of the project are checked in the same transaction:
        however many callers there are, in whatever process, what is stored is within the quotas.

        Raises:
            QuotaExceeded: a quota does not permit it, now or at any time; never for a task that is stored already.
            IdempotencyKeyReused: the key was used for something else, and has not expired.
        """
        ...

    async def require_room(self, submissions: Sequence[Submission]) -> None:
        """Check that the quotas of the project permit all of these now; a `limited` `add` decides it for good.

        Raises:
            QuotaExceeded: a quota does not permit all that are new.
            IdempotencyKeyReused: a key was used for something else, and has not expired.
        """
        ...

    async def add_all(self, submissions: Sequence[Submission], *, limited: bool = False) -> Sequence[Accepted]:
        """Store pending tasks that are due for dispatch at once: all of them, or none if it raises.

        Idempotency keys and quotas work as for `add`, for each submission.

        Raises:
            QuotaExceeded: a quota does not permit all that are new.
            IdempotencyKeyReused: a key was used for something else, and has not expired.
        """
        ...

    async def cancel(self, task_id: TaskId, actor: Actor) -> None:
        """Cancel a task that has not ended, and record who did it; the worker that runs it loses the lease.

        Raises:
            TaskNotFound: no task has this id.
            TaskEnded: the task has ended.
        """
        ...

    async def enqueue(self, task_id: TaskId) -> None:
        """Release a held task: it is due for dispatch at once, or when its time comes. Does nothing the second time.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotHeld: the task was not submitted to be held.
            TaskEnded: it was cancelled before it was released.
        """
        ...

    async def count_pending(self, limit: int) -> int:
        """Count the pending tasks of all projects, up to `limit`."""
        ...


class TaskReader(Protocol):
    """Reads single tasks of a project; a task of another project is not found. A `TaskCatalogue` reads lists."""

    def within(self, project: ProjectName) -> Self:
        """Return the port for the tasks of another project."""
        ...

    async def get(self, task_id: TaskId, most_result_bytes: int | None = None) -> Task:
        """Return a task with its whole history, oldest line first.

        A result that takes more than `most_result_bytes` in the database is not read; `omitted_result_bytes` is its
        size.

        Raises:
            TaskNotFound: no task has this id.
        """
        ...

    async def result_text(self, task_id: TaskId) -> str:
        """Return the result of a completed task as JSON text: an object with the fields of the HTTP shape `TaskResult`.

        Raises:
            TaskNotFound: no task with this id has a result.
        """
        ...

    async def history(self, task_id: TaskId, after: int) -> Sequence[StatusChange]:
        """Return the lines of a task's history after the line with this id, oldest first; all of them after 0.

        Raises:
            TaskNotFound: no task has this id.
        """
        ...

    async def statuses(self, task_ids: Sequence[TaskId]) -> Mapping[TaskId, tuple[TaskStatus, int]]:
        """Return the status and the number of the last attempt of each of these tasks that exists, in any project.

        It is for the poll of `Watch`, which only wakes waiting callers and shows them no data.
        """
        ...


class DeferredTasks(Protocol):
    """Defers claimed tasks that cannot run yet, and recalls them."""

    async def defer(self, lease: Lease, delay: timedelta, cause: str = MachineBusy.code) -> bool:
        """Make a task that has not begun pending again, available after `delay`; False if the lease is lost.

        No attempt is counted, and the task keeps its position in the queue. `cause` goes into its history: a large
        program runs, no slot became free, there is no simulator, or the program is too long for the short slot. In the
        last case `claim_short` skips the task from now on.
        """
        ...

    async def recall(self, lease: Lease) -> bool:
        """End the delay of a task that was deferred under this lease; False if it no longer waits."""
        ...


class TaskAttempts(DeferredTasks, Protocol):
    """Claims tasks and records their outcomes, for workers."""

    async def claim(
        self, task_id: TaskId, worker_id: WorkerId, lease: timedelta, queue: TaskQueue = SIMULATIONS
    ) -> Claim | None:
        """Claim a pending, available task of a queue for one attempt; None if there is none.

        It is the task with this id, unless that one is not available or must wait for another: then it is the one with
        the lowest rank, by priority and age, of those that were dispatched to this queue. Of any number of concurrent
        claims at most one gets a task.
        """
        ...

    async def claim_short(self, task_id: TaskId, worker_id: WorkerId, lease: timedelta) -> Claim | None:
        """Claim the simulation with the lowest rank of those dispatched that are not known to be long; None if there
        is none.

        As with `claim`, the message that named `task_id` is used up if a task was claimed.
        """
        ...

    async def renew(self, lease: Lease, duration: timedelta) -> bool:
        """Extend a lease from now; False if it is lost, and then nothing has changed."""
        ...

    async def finish(self, lease: Lease, result: RunResult) -> bool:
        """Record the result and complete the task; False if the lease is lost, and then nothing has changed."""
        ...

    async def fail(self, lease: Lease, failure: Failure) -> bool:
        """Record the failure that ends the task; False if the lease is lost, and then nothing has changed."""
        ...

    async def release(self, lease: Lease) -> bool:
        """Make a task pending and available again, without counting an attempt; False if the lease is lost."""
        ...

    async def retry(self, lease: Lease, failure: Failure, *, crashed: bool) -> TaskStatus | None:
        """Count an attempt that failed through no fault of the program; None if the lease is lost.

        The task becomes pending with a backoff, or fails when it has spent its attempts, or the smaller number of those
        that may end in a crash. Returns its new status.
        """
        ...


class RemoteAttempts(TaskAttempts, Protocol):
    """Records the jobs of claimed tasks at external backends, for workers."""

    async def record_job(self, lease: Lease, job: RemoteJob | None) -> bool:
        """Record the job of a task at its backend, None if it has none; False if the lease is lost.

        The time limit of a job counts from when it was recorded without a status: then its submission begins.
        """
        ...

    async def jobs_to_cancel(self, backend: str, limit: int) -> Sequence[JobToCancel]:
        """Return up to `limit` jobs that are to be cancelled at a backend, those with an id first.

        They are those of tasks that were cancelled, or failed at their time limit or by an administrator, and have not
        ended.
        """
        ...

    async def end_job(self, task_id: TaskId, job: RemoteJob) -> None:
        """Record how the job of such a task ended."""
        ...


class TaskUpkeep(Protocol):
    """Finds the tasks to dispatch, reap or correct, for the periodic loops of every process."""

    async def take_due(self, limit: int) -> Sequence[Dispatch]:
        """Take up to `limit` pending tasks that are due and have not been dispatched, longest due first.

        Each becomes overdue after an interval that grows with every dispatch, so a lost message, or a dispatcher that
        dies before publishing, only delays a task. Concurrent callers get disjoint tasks.
        """
        ...

    async def take_overdue(self, limit: int, *, by: timedelta, queue: TaskQueue = SIMULATIONS) -> Sequence[Dispatch]:
        """Take up to `limit` pending tasks that were dispatched to a queue and are overdue by at least `by`, longest
        first.
        """
        ...

    async def count_dispatched(self) -> Mapping[TaskQueue, int]:
        """Count, by queue, the pending tasks that were dispatched: those that should have a message on the queue.

        Paused queues are left out: their messages may wait for any time without being lost.
        """
        ...

    async def postpone(self, task_ids: Sequence[TaskId], delay: timedelta) -> None:
        """Make tasks that could not be published due again after `delay`, if they are still pending."""
        ...

    async def survey_leases(self, beyond: timedelta) -> LeaseSurvey:
        """Read the database's clock, and the leases that end later than `beyond` from now."""
        ...

    async def reap(self, limit: int, expiry: Expiry = NOW) -> Sequence[Reaped]:
        """Take up to `limit` tasks whose leases have expired from their workers.

        Each becomes pending with a backoff, or fails with `worker_lost` when no attempts are left. A task whose lease
        expired in an outage becomes pending at once and at no cost, unless that has happened to it many times.
        """
        ...

    async def correct_times(self) -> int:
        """Make pending tasks available that wait only because the clock was set back, and return their number.

        Scheduled tasks, and tasks whose delay began after that, keep their times.
        """
        ...

    async def delete_expired_keys(self, limit: int) -> int:
        """Delete up to `limit` expired idempotency keys, and return their number."""
        ...


class DatabaseProbe(Protocol):
    """Checks whether the database can be used, for health checks."""

    async def ping(self) -> None:
        """Return if the database responds to a query.

        Raises:
            DatabaseUnavailable: it does not respond.
        """
        ...

    async def check_writable(self) -> None:
        """Return if the database has committed a write.

        Raises:
            DatabaseUnavailable: the database did not commit it; a subclass names the cause if it is known.
        """
        ...
