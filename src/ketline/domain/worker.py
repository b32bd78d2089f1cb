"""A worker as others see it: who it is, and what it works on now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.task import TaskId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """What a worker says of itself."""

    worker_id: WorkerId
    slots: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCondition:
    """How many of a worker's slots have a simulator, and why another has none; None where that is not known."""

    ready_slots: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTask:
    """A task in a worker's hands: for how long, and how long its lease still runs if it is not renewed."""

    task_id: TaskId
    attempt: int
    claimed_at: datetime
    running_seconds: float
    lease_expires_at: datetime
    lease_seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker that was heard of lately, with its tasks, the longest held first.

    The condition is not known of workers of before it was told.
    """

    identity: WorkerIdentity
    started_at: datetime
    last_seen_at: datetime
    condition: WorkerCondition | None = None
    tasks: Sequence[CurrentTask] = ()
