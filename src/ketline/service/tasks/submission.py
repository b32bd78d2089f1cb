"""Submissions of tasks: stores them as pending, then passes them to the dispatcher."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ketline.domain.ids import TaskIds
from ketline.domain.spec import RunOptions
from ketline.domain.task import Accepted, Dispatch, Submission, TaskId
from ketline.ports.repositories import TaskSubmissions
from ketline.service.tasks.backlog import Backlog

# JSON numbers of up to 53 bits are exact in every client.
SEED_BITS = 53


class Outbox(Protocol):
    """The part of the dispatcher that a submission uses; `upkeep.dispatcher.Dispatcher` implements it."""

    def has_room(self) -> bool:
        """Whether a task may be stored as already taken, to be `put` here after the commit."""
        ...

    def put(self, dispatch: Dispatch) -> None:
        """Publish a task that was stored as already taken."""
        ...

    def nudge(self) -> None:
        """Look for due tasks now."""
        ...


@dataclass(frozen=True, slots=True)
class SubmitTask:
    """Stores a pending task; after the commit puts it into `outbox`, or wakes the dispatcher if the outbox is full."""

    repository: TaskSubmissions
    outbox: Outbox
    backlog: Backlog
    max_attempts: int
    new_id: Callable[[], TaskId] = field(default_factory=TaskIds)

    async def __call__(self, submission: Submission) -> Accepted:
        """Return once the task is committed; a task without a seed gets a random one.

        Raises:
            BacklogFull: the number of pending tasks has reached the operator's limit.
            IdempotencyKeyReused: the key belongs to a different submission.
            DatabaseUnavailable: it is unknown whether the task was committed.
        """
        self.backlog.require_room()
        submission = self._with_defaults(submission)
        # Only the database's clock decides when a scheduled task is due, so the dispatcher finds it there.
        at_once = submission.spec.scheduled_for is None and not submission.spec.hold
        taken = at_once and self.outbox.has_room()  # guard: schedule.outbox
        accepted = await self.repository.add(submission, taken=taken)
        if not accepted.repeated:
            self.backlog.grow()
            self._dispatch(submission, taken=taken)
        return accepted

    async def all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        """Store several tasks in one transaction; return once they are committed. If it raises, none is stored.

        Raises:
            BacklogFull: storing all of them would exceed the limit.
            IdempotencyKeyReused: a key belongs to a different submission.
            DatabaseUnavailable: it is unknown whether they were committed.
        """
        self.backlog.require_room(len(submissions))
        accepted = await self.repository.add_all([self._with_defaults(submission) for submission in submissions])
        self.backlog.grow(sum(not task.repeated for task in accepted))
        self.outbox.nudge()
        return accepted

    def _with_defaults(self, submission: Submission) -> Submission:
        spec = submission.spec
        max_attempts = spec.max_attempts or self.max_attempts
        spec = replace(spec, max_attempts=max_attempts, options=_with_seed(spec.options))
        return replace(submission, spec=spec)

    def _dispatch(self, submission: Submission, *, taken: bool) -> None:
        if not taken:
            self.outbox.nudge()
            return
        dispatch = Dispatch(
            task_id=submission.task_id,
            correlation_id=submission.correlation_id,
            trace_context=submission.trace_context,
        )
        self.outbox.put(dispatch)


def _with_seed(options: RunOptions) -> RunOptions:
    if options.seed is not None:
        return options
    return replace(options, seed=random.getrandbits(SEED_BITS))
