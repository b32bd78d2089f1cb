"""The tasks and their history, the truth of the service: a port for each kind of caller, which one adapter implements.

Every method is one transaction, committed when it returns and without effect when it raises `DatabaseUnavailable` (but
for a connection cut during COMMIT, whose outcome nobody can know). Times are the database's. Every change of status
appends exactly one line of history in the same transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from ketline.domain.errors import MachineBusy
from ketline.domain.leases import NOW, Expiry, LeaseSurvey
from ketline.domain.task import (
    Accepted,
    Claim,
    Dispatch,
    Failure,
    Lease,
    Reaped,
    RunResult,
    StatusChange,
    Submission,
    Task,
    TaskId,
    TaskStatus,
    WorkerId,
)


class TaskSubmissions(Protocol):
    """Stores and cancels tasks, for clients."""

    async def add(self, submission: Submission, *, taken: bool = False) -> Accepted:
        """Store a pending task that is due for dispatch at once, or as `take_due` would leave it if `taken`.

        A task that is scheduled for later is neither: it is available, and due, when its time comes; one that is held
        when it is released.
        Of any number of submissions under one idempotency key one makes a task, and the others are given it.

        Raises:
            IdempotencyKeyReused: the key was used for something else, and has not expired.
        """
        ...

    async def add_all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        """Store pending tasks that are due for dispatch at once: all of them, or none when it raises.

        What `add` promises of idempotency keys holds for each of them.

        Raises:
            IdempotencyKeyReused: a key was used for something else, and has not expired.
        """
        ...

    async def cancel(self, task_id: TaskId) -> None:
        """Cancel a task that has not ended; whoever runs it loses the lease.

        Raises:
            TaskNotFound: no task has this id.
            TaskEnded: there is nothing left to cancel.
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
        """How many tasks are pending, counted up to `limit`."""
        ...


class TaskReader(Protocol):
    """Reads single tasks; the lists are a `TaskCatalogue`'s."""

    async def get(self, task_id: TaskId, most_result_bytes: int | None = None) -> Task:
        """Give a task with its whole history, oldest line first.

        A result that takes more than `most_result_bytes` in the database is left out, unread, and its size told in
        `omitted_result_bytes`.

        Raises:
            TaskNotFound: no task has this id.
        """
        ...

    async def result_text(self, task_id: TaskId) -> str:
        """Give the result of a completed task as JSON text: an object with what `TaskResult` of the HTTP shapes has.

        Raises:
            TaskNotFound: no task with this id has a result.
        """
        ...

    async def history(self, task_id: TaskId, after: int) -> Sequence[StatusChange]:
        """Give the lines of a task's history after the line with this id, oldest first; all of them after 0.

        Raises:
            TaskNotFound: no task has this id.
        """
        ...

    async def statuses(self, task_ids: Sequence[TaskId]) -> Mapping[TaskId, tuple[TaskStatus, int]]:
        """Give the status and the number of the last attempt of each of these tasks that exists."""
        ...


class DeferredTasks(Protocol):
    """Hands tasks back that cannot begin yet, and calls them back."""

    async def defer(self, lease: Lease, delay: timedelta, cause: str = MachineBusy.code) -> bool:
        """Hand a task back that has not begun, at no cost, available after `delay`; False when the lease is lost.

        The cause is for its history: a large program runs, no slot came free, there is no simulator, or the program is
        too long for the simulator that is for short ones; then `claim_short` passes over it from now on.

        Once its delay is over it goes before the tasks that came after it.
        """
        ...

    async def recall(self, lease: Lease) -> bool:
        """End the delay of a task that was deferred under this lease; False when it waits no more."""
        ...


class TaskAttempts(DeferredTasks, Protocol):
    """Claims tasks and records their outcomes, for workers."""

    async def claim(self, task_id: TaskId, worker_id: WorkerId, lease: timedelta) -> Claim | None:
        """Take a pending, available task for one attempt; None when there is none to be taken.

        It is the task of this id, unless that one is not there to be taken or has to wait for another: then it is
        the one whose turn it is, by priority and age, of those that were dispatched. Of any number of concurrent
        claims at most one gets a task.
        """
        ...

    async def claim_short(self, task_id: TaskId, worker_id: WorkerId, lease: timedelta) -> Claim | None:
        """Take the task whose turn it is of those dispatched that are not known to be long; None when there is none.

        As after `claim`, the message that named `task_id` is used up when a task was taken.
        """
        ...

    async def renew(self, lease: Lease, duration: timedelta) -> bool:
        """Extend a lease from now; False when it is lost, and then nothing has changed."""
        ...

    async def finish(self, lease: Lease, result: RunResult) -> bool:
        """Record the result and complete the task; False when the lease is lost, and then nothing has changed."""
        ...

    async def fail(self, lease: Lease, failure: Failure) -> bool:
        """Record why the task failed, for good; False when the lease is lost, and then nothing has changed."""
        ...

    async def release(self, lease: Lease) -> bool:
        """Hand a task back as pending and available at no cost; False when the lease is lost."""
        ...

    async def retry(self, lease: Lease, failure: Failure, *, crashed: bool) -> TaskStatus | None:
        """Hand a task back after an attempt that was not the program's to answer for; None when the lease is lost.

        It goes back to pending with a backoff, or fails when the attempts it may spend, or the smaller number of
        those that may end in a crash, are spent. Gives the status it got.
        """
        ...


class TaskUpkeep(Protocol):
    """Finds the tasks that are to be dispatched, reaped or put right, for the loops of every process."""

    async def take_due(self, limit: int) -> Sequence[Dispatch]:
        """Take up to `limit` pending tasks that are due and have not been dispatched, longest due first.

        Each is overdue after an interval that grows with every dispatch, so a message that is lost, or a
        dispatcher that dies before publishing, delays a task and never strands it. Concurrent callers get
        disjoint tasks.
        """
        ...

    async def take_overdue(self, limit: int, *, by: timedelta) -> Sequence[Dispatch]:
        """Take up to `limit` pending tasks that were dispatched and are overdue by at least `by`, longest first."""
        ...

    async def count_dispatched(self) -> int:
        """How many tasks are pending and were dispatched: those that should have a message on the queue."""
        ...

    async def postpone(self, task_ids: Sequence[TaskId], delay: timedelta) -> None:
        """Make tasks that could not be published due again after `delay`, where they are still pending."""
        ...

    async def survey_leases(self, beyond: timedelta) -> LeaseSurvey:
        """Read the database's clock, and which leases end later than `beyond` from now."""
        ...

    async def reap(self, limit: int, expiry: Expiry = NOW) -> Sequence[Reaped]:
        """Take up to `limit` tasks whose lease is over from their workers.

        Each goes back to pending with a backoff, or fails as `worker_lost` when its attempts are spent. One whose lease
        ran out in an outage goes back at once and at no cost, unless that has happened to it many times.
        """
        ...

    async def correct_times(self) -> int:
        """Make pending tasks available that wait only because the clock was set back; give how many it were.

        Scheduled tasks, and delays that began since, keep their time.
        """
        ...

    async def forget_keys(self, limit: int) -> int:
        """Forget up to `limit` expired idempotency keys, and give how many it were."""
        ...


class DatabaseProbe(Protocol):
    """Tells whether the database can be used, for health checks."""

    async def ping(self) -> None:
        """Return when the database answers a query.

        Raises:
            DatabaseUnavailable: it does not.
        """
        ...

    async def check_writable(self) -> None:
        """Return when the database has committed a write.

        Raises:
            DatabaseUnavailable: it has not; the class says why where that is known.
        """
        ...
