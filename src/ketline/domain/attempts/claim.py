"""Attempts of workers at tasks: dispatches, claims with their leases, and attempts whose lease expired."""

from dataclasses import dataclass

from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import CorrelationId, LeaseToken, TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.remote_job import RemoteJob
from ketline.domain.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One attempt's right to record an outcome: void once the row carries another attempt or token."""

    task_id: TaskId
    attempt: int
    token: LeaseToken
    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A task of `project` claimed by one worker for one attempt, with all that the worker needs to run it.

    `job_seconds` is the time since the submission of `remote_job` began.
    """

    lease: Lease
    project: ProjectName
    spec: TaskSpec
    correlation_id: CorrelationId
    queued_seconds: float
    trace_context: str | None = None
    remote_job: RemoteJob | None = None
    job_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """The content of a queue message, which has ids only and never the program, and the queue that it goes to."""

    task_id: TaskId
    correlation_id: CorrelationId
    trace_context: str | None = None
    queue: TaskQueue = SIMULATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """A task whose lease expired `held_seconds` after its claim, or later, with its new status and the cause.

    The cause is the one in its history.
    """

    task_id: TaskId
    correlation_id: CorrelationId
    attempt: int
    worker_id: WorkerId
    status: TaskStatus
    cause: str
    trace_context: str | None = None
    held_seconds: float = 0.0
