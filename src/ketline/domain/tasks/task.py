"""Tasks: their statuses and legal transitions, submissions, leases, attempts, results and history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.circuits.program_format import QirProfile, Target
from ketline.domain.failures import Failure
from ketline.domain.ids import CorrelationId, LeaseToken, TaskId, WorkerId
from ketline.domain.results.gradients import Gradients
from ketline.domain.results.observable import ExpectationValues
from ketline.domain.results.outputs import Outputs
from ketline.domain.results.result import Conversion, Point, Profile
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.remote_job import RemoteJob
from ketline.domain.tasks.spec import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A notification about a task: the status that was committed."""

    task_id: TaskId
    status: TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One line of a task's history; `attempt` and `worker_id` are set from the first claim on.

    A line that ends an attempt has the attempt's duration in seconds, and its `cause` unless it completed.
    `line_id` grows along the history of a task.
    """

    status: TaskStatus
    line_id: int = 0
    transitioned_at: datetime
    notes: str | None = None
    attempt: int | None = None
    lease_token: LeaseToken | None = None
    worker_id: WorkerId | None = None
    cause: str | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A line of history with the id of its task and, where lines are read of all tasks, its tags."""

    task_id: TaskId
    change: StatusChange
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A stored task as clients see it, without its program; a completed sweep has `points` and no `counts`."""

    task_id: TaskId
    shots: int
    status: TaskStatus
    submitted_at: datetime
    correlation_id: CorrelationId
    attempt: int
    completed_at: datetime | None = None
    options: RunOptions = field(default_factory=RunOptions)
    inputs: Inputs = field(default_factory=dict)
    time_limit_seconds: float | None = None
    max_attempts: int | None = None
    counts: Mapping[str, int] | None = None
    memory: Sequence[str] | None = None
    points: Sequence[Point] | None = None
    expectation_values: ExpectationValues | None = None
    standard_errors: ExpectationValues | None = None
    mitigation: Mapping[str, object] | None = None
    gradients: Gradients | None = None
    gradient_standard_errors: Gradients | None = None
    outputs: Outputs | None = None
    omitted_result_bytes: int | None = None  # stored size of a result that is larger than the reader wants at once
    profile: Profile | None = None
    failure: Failure | None = None
    history: Sequence[StatusChange] = field(default_factory=tuple)
    labels: Labels = field(default_factory=Labels)
    scheduled_for: datetime | None = None
    priority: int = 0
    hold: bool = False
    kind: TaskKind = TaskKind.SIMULATE
    target: Target | None = None
    qir_profile: QirProfile | None = None
    bitcode: bool = False
    backend: str | None = None
    conversion: Conversion | None = None
    remote_job: RemoteJob | None = None
    released_at: datetime | None = None
    rerun_of: TaskId | None = None
    project: ProjectName = DEFAULT_PROJECT
    owner: Owner | None = None
    callback: str | None = None
    task_type: str | None = None
    wait_for_completion: bool = False
