"""What the services need from the outside, as promises; adapters in `db`, `messaging` and `execution` keep them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from ketline.domain.dead_letters import DeadLetters
from ketline.domain.errors import MachineBusy
from ketline.domain.leases import NOW, Expiry, LeaseSurvey
from ketline.domain.spec import TaskSpec
from ketline.domain.task import (
    Accepted,
    Change,
    Claim,
    CorrelationId,
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


class TaskRepository(Protocol):
    """The tasks and their history: the truth of the service.

    Every method is one transaction, committed when it returns and without effect when it raises
    `DatabaseUnavailable` (but for a connection cut during COMMIT, whose outcome nobody can know). Times are the
    database's. Every change of status appends exactly one line of history in the same transaction.
    """

    async def add(self, submission: Submission, *, taken: bool = False) -> Accepted:
        """Store a pending task that is due for dispatch at once, or as `take_due` would leave it if `taken`.

        A task that is scheduled for later is neither: it is available, and due, when its time comes.
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

    async def standings(self, task_ids: Sequence[TaskId]) -> Mapping[TaskId, tuple[TaskStatus, int]]:
        """Tell the status and the number of the last attempt of each of these tasks that exists."""
        ...

    async def claim(self, task_id: TaskId, worker_id: WorkerId, lease: timedelta) -> Claim | None:
        """Take a pending, available task for one attempt; None when there is none to be taken.

        It is the task of this id, unless that one is not there to be taken or has to wait for another: then it is
        the one whose turn it is, by priority and age, of those that were dispatched. Of any number of concurrent
        claims at most one gets a task.
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

    async def defer(self, lease: Lease, delay: timedelta, cause: str = MachineBusy.code) -> bool:
        """Hand a task back that has not begun, at no cost, available after `delay`; False when the lease is lost.

        The cause is for its history: a large program runs, no slot came free, or there is no simulator.

        Once its delay is over it goes before the tasks that came after it.
        """
        ...

    async def recall(self, lease: Lease) -> bool:
        """End the delay of a task that was deferred under this lease; False when it waits no more."""
        ...

    async def retry(self, lease: Lease, failure: Failure, *, crashed: bool) -> TaskStatus | None:
        """Hand a task back after an attempt that was not the program's to answer for; None when the lease is lost.

        It goes back to pending with a backoff, or fails when the attempts it may spend, or the smaller number of
        those that may end in a crash, are spent. Gives the status it got.
        """
        ...

    async def cancel(self, task_id: TaskId) -> None:
        """Cancel a task that has not ended; whoever runs it loses the lease.

        Raises:
            TaskNotFound: no task has this id.
            TaskEnded: there is nothing left to cancel.
        """
        ...

    async def count_pending(self, limit: int) -> int:
        """How many tasks are pending, counted up to `limit`."""
        ...

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


class Announcer(Protocol):
    """Tells whoever waits for a task, in any process, of a change that was committed; may lose what it is told."""

    def announce(self, *changes: Change) -> None:
        """Return at once; nothing is raised, and nothing waits for it."""
        ...


class TaskPublisher(Protocol):
    """Puts dispatches on the queue; may lose, repeat or reorder them, which the repository makes up for."""

    async def publish(self, dispatch: Dispatch) -> None:
        """Return once the queue has taken responsibility for the message; bounded in time.

        Raises:
            PublishFailed: it has not confirmed; the message may or may not arrive.
        """
        ...

    async def depth(self) -> int:
        """How many messages wait on the queue, in nobody's hands; bounded in time.

        Raises:
            QueueUnavailable: it cannot be asked.
        """
        ...

    async def ping(self) -> None:
        """Return when the queue can be reached.

        Raises:
            QueueUnavailable: it can not.
        """
        ...


class Delivery(Protocol):
    """One message in the hands of one slot."""

    @property
    def task_id(self) -> TaskId: ...

    @property
    def correlation_id(self) -> CorrelationId: ...

    async def acknowledge(self) -> None:
        """Tell the queue the message is dealt with; silent when the connection it came by is gone.

        The queue then delivers the message again, to somebody.
        """
        ...


class ConsumerSlot(Protocol):
    """One consumer with a prefetch of one: the next message comes after the last is acknowledged."""

    async def receive(self) -> Delivery:
        """Wait for the next message, across reconnections; safe to cancel."""
        ...


class DeadLetterBox(Protocol):
    """The messages that were set aside: those a consumer could not read, or that were handed out too often."""

    async def look(self, most: int) -> DeadLetters:
        """Count them and give up to `most` of the oldest; they stay where they are.

        Raises:
            QueueUnavailable: the broker does not answer.
        """
        ...

    async def requeue(self, most: int) -> int:
        """Put those of the oldest `most` that can be read back on the queue, and give how many it were.

        None is lost; one may come twice, which does no harm.

        Raises:
            QueueUnavailable: the broker does not do it, or not to the end.
        """
        ...


class TaskConsumer(Protocol):
    """Gives the messages of the queue to slots, each message to one slot at a time.

    What is not a message of ours is set aside on the dead-letter queue and never reaches a slot.
    """

    def open_slot(self) -> AbstractAsyncContextManager[ConsumerSlot]:
        """A slot that consumes while the context is open; leaving it hands unacknowledged messages back."""
        ...


class CircuitRunner(Protocol):
    """Runs programs, one at a time, in a process that can be killed without harm to the caller."""

    async def run(self, spec: TaskSpec) -> RunResult:
        """Parse and simulate a program; the event loop stays free all the while.

        Without a time limit of its own the runner's holds.

        Cancelling the call kills the simulation; the runner is good for the next program after any outcome.
        `profile.queued_seconds` of the result is 0: the caller knows it.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: the program cannot run.
            TimeLimitExceeded, MemoryLimitExceeded: it was stopped.
            SimulationFailed: the simulator refused it, failed or died.
            MachineBusy: the program is large, and another large one runs; it has not begun.
        """
        ...


class RunnerFactory(Protocol):
    """Opens runners, one for each slot."""

    def open_runner(self) -> AbstractAsyncContextManager[CircuitRunner]:
        """A runner whose process is started before the context is entered and gone after it is left."""
        ...


class Clock(Protocol):
    """Local time, for waits and displays; agreement between processes rests on the database's clock."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...
