"""Accept a program: store it durably, then have it published."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ketline.domain.ids import TaskIds
from ketline.domain.spec import RunOptions
from ketline.domain.task import Accepted, Dispatch, Submission, TaskId
from ketline.ports.repositories import TaskSubmissions
from ketline.service.tasks.backlog import Backlog

# Numbers of JSON are exact this far in every client.
SEED_BITS = 53


class Outbox(Protocol):
    """What a submission asks of this process's dispatcher."""

    def has_room(self) -> bool: ...

    def put(self, dispatch: Dispatch) -> None: ...

    def nudge(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SubmitTask:
    """Stores a program as a pending task, and hands it to the outbox after the commit, where there is room in it."""

    repository: TaskSubmissions
    outbox: Outbox
    backlog: Backlog
    max_attempts: int
    new_id: Callable[[], TaskId] = field(default_factory=TaskIds)

    async def __call__(self, submission: Submission) -> Accepted:
        """Return once the task is committed; where no seed is asked for it is given one.

        Raises:
            BacklogFull: as many tasks wait as the operator allows.
            IdempotencyKeyReused: the key names another submission.
            DatabaseUnavailable: the task is not known to be committed.
        """
        self.backlog.require_room()
        submission = self._completed(submission)
        # Whether its time has come only the database's clock can tell: its row says so to the dispatcher.
        taken = submission.spec.scheduled_for is None and self.outbox.has_room()  # guard: schedule.outbox
        accepted = await self.repository.add(submission, taken=taken)
        if not accepted.repeated:
            self.backlog.grow()
            self._hand_over(submission, taken=taken)
        return accepted

    async def all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        """Return once all of them are committed, in one transaction; when it raises none is.

        Raises:
            BacklogFull: there is no room for all of them.
            IdempotencyKeyReused: a key names another submission.
            DatabaseUnavailable: they are not known to be committed.
        """
        self.backlog.require_room(len(submissions))
        accepted = await self.repository.add_all([self._completed(one) for one in submissions])
        self.backlog.grow(sum(not one.repeated for one in accepted))
        self.outbox.nudge()
        return accepted

    def _completed(self, submission: Submission) -> Submission:
        spec = submission.spec
        max_attempts = spec.max_attempts or self.max_attempts
        spec = replace(spec, max_attempts=max_attempts, options=_seeded(spec.options))
        return replace(submission, spec=spec)

    def _hand_over(self, submission: Submission, *, taken: bool) -> None:
        if not taken:
            self.outbox.nudge()
            return
        dispatch = Dispatch(
            task_id=submission.task_id,
            correlation_id=submission.correlation_id,
            trace_context=submission.trace_context,
        )
        self.outbox.put(dispatch)


def _seeded(options: RunOptions) -> RunOptions:
    if options.seed is not None:
        return options
    return replace(options, seed=random.getrandbits(SEED_BITS))
