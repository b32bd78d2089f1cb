"""Accept a program: store it durably, then have it published."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, Required, TypedDict, Unpack

from ketline.domain.ids import TaskIds
from ketline.domain.labels import Labels
from ketline.domain.task import (
    Accepted,
    CorrelationId,
    Dispatch,
    IdempotencyKey,
    Inputs,
    RunOptions,
    Submission,
    TaskId,
)
from ketline.ports.tasks import TaskRepository
from ketline.service.backlog import Backlog

# Numbers of JSON are exact this far in every client.
SEED_BITS = 53


class Asked(TypedDict, total=False):
    """What is asked for with a program; what is left out has the service's default."""

    circuit: Required[str]
    shots: Required[int]
    correlation_id: Required[CorrelationId]
    max_attempts: int | None
    time_limit: timedelta | None
    options: RunOptions | None
    trace_context: str | None
    idempotency_key: IdempotencyKey | None
    inputs: Inputs | None
    labels: Labels | None
    scheduled_for: datetime | None
    priority: int
    rerun_of: TaskId | None
    # One of `SubmitTask.new_id`, for who wants to know it before the task is stored.
    task_id: TaskId


class Outbox(Protocol):
    """What a submission asks of this process's dispatcher."""

    def has_room(self) -> bool: ...

    def put(self, dispatch: Dispatch) -> None: ...

    def nudge(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SubmitTask:
    """Stores a program as a pending task, and hands it to the outbox after the commit, where there is room in it."""

    repository: TaskRepository
    outbox: Outbox
    backlog: Backlog
    max_attempts: int
    new_id: Callable[[], TaskId] = field(default_factory=TaskIds)

    async def __call__(self, **asked: Unpack[Asked]) -> Accepted:
        """Return once the task is committed; where no seed is asked for it is given one.

        Raises:
            BacklogFull: as many tasks wait as the operator allows.
            IdempotencyKeyReused: the key names another submission.
            DatabaseUnavailable: the task is not known to be committed.
        """
        self.backlog.require_room()
        submission = self._submission(asked)
        # Whether its time has come only the database's clock can tell: its row says so to the dispatcher.
        taken = submission.scheduled_for is None and self.outbox.has_room()  # guard: schedule.outbox
        accepted = await self.repository.add(submission, taken=taken)
        if not accepted.repeated:
            self.backlog.grow()
            self._hand_over(submission, taken=taken)
        return accepted

    async def all(self, programs: Sequence[Asked]) -> Sequence[Accepted]:
        """Return once all of them are committed, in one transaction; when it raises none is.

        Raises:
            BacklogFull: there is no room for all of them.
            IdempotencyKeyReused: a key names another submission.
            DatabaseUnavailable: they are not known to be committed.
        """
        self.backlog.require_room(len(programs))
        accepted = await self.repository.add_all([self._submission(asked) for asked in programs])
        self.backlog.grow(sum(not one.repeated for one in accepted))
        self.outbox.nudge()
        return accepted

    def _submission(self, asked: Asked) -> Submission:
        return Submission(
            task_id=asked.get("task_id") or self.new_id(),
            circuit=asked["circuit"],
            shots=asked["shots"],
            correlation_id=asked["correlation_id"],
            max_attempts=asked.get("max_attempts") or self.max_attempts,
            time_limit=asked.get("time_limit"),
            options=_seeded(asked.get("options") or RunOptions()),
            trace_context=asked.get("trace_context"),
            idempotency_key=asked.get("idempotency_key"),
            inputs=asked.get("inputs") or {},
            labels=asked.get("labels") or Labels(),
            scheduled_for=asked.get("scheduled_for"),
            priority=asked.get("priority", 0),
            rerun_of=asked.get("rerun_of"),
        )

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
