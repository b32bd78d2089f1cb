"""A worker in the registry: its identity, its condition and its current tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ketline.domain.ids import TaskId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """The identity of a worker in its heartbeats; `queues` are the names of those that it consumes, None if unknown."""

    worker_id: WorkerId
    slots: int
    version: str
    conversion_slots: int = 0
    queues: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCondition:
    """The number of a worker's slots that have a simulator, and the reason why a slot has none, if it is known.

    From `draining_since` on it claims no tasks; None while it does.
    """

    ready_slots: int
    problem: str | None = None
    draining_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTask:
    """A task that a worker runs: the time since its claim, and the time until its lease expires without a renewal."""

    task_id: TaskId
    attempt: int
    claimed_at: datetime
    running_seconds: float
    lease_expires_at: datetime
    lease_seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker with a recent heartbeat, with its tasks, the longest running first.

    `condition` is None for workers of versions that do not report it. A worker that is being drained has held no task
    since `drained_at`.
    """

    identity: WorkerIdentity
    started_at: datetime
    last_seen_at: datetime
    condition: WorkerCondition | None = None
    drained_at: datetime | None = None
    tasks: Sequence[CurrentTask] = ()
