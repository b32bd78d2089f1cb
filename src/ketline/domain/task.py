"""Tasks: their statuses and legal transitions, submissions, leases, attempts, results and history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from ketline.domain.access import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.device_run import Placement
from ketline.domain.gradients import Gradients
from ketline.domain.labels import Labels
from ketline.domain.outputs import Outputs
from ketline.domain.queues import SIMULATIONS, TaskQueue
from ketline.domain.spec import ExpectationValues, Inputs, QirProfile, RunOptions, Target, TaskKind, TaskSpec

TaskId = NewType("TaskId", UUID)
LeaseToken = NewType("LeaseToken", UUID)
WorkerId = NewType("WorkerId", str)
CorrelationId = NewType("CorrelationId", str)


class TaskStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return not LEGAL_MOVES[self]


LEGAL_MOVES: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.PROCESSING, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.PROCESSING: frozenset(
        {TaskStatus.PENDING, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}
    ),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}


class FailureCode(StrEnum):
    """The reason why a task ended without a result; the codes are stable and part of the API."""

    PARSE_ERROR = "parse_error"
    INPUT_MISSING = "input_missing"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    QUOTA_EXCEEDED = "quota_exceeded"
    OBSERVABLES_INVALID = "observables_invalid"
    GRADIENT_INVALID = "gradient_invalid"
    NOISE_INVALID = "noise_invalid"
    OUTPUTS_INVALID = "outputs_invalid"
    DEVICE_MISMATCH = "device_mismatch"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    SIMULATION_ERROR = "simulation_error"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    FAILED_BY_ADMINISTRATOR = "failed_by_administrator"
    BACKEND_REFUSED = "backend_refused"
    BACKEND_FAILED = "backend_failed"
    BACKEND_ACCESS_DENIED = "backend_access_denied"
    BACKEND_JOB_NOT_FOUND = "backend_job_not_found"
    BACKEND_RESULT_INVALID = "backend_result_invalid"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A client's name for one submission; `fingerprint` is a digest of what it submitted under that name."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A program accepted for execution, before it is stored.

    `task_type` is the kind of task by the name of older services, if a client of one submitted it; with
    `wait_for_completion` that client wants no result of a task on a backend before its job is done. With
    `project_callback` a task without a callback of its own has that of its project.
    """

    task_id: TaskId
    spec: TaskSpec
    correlation_id: CorrelationId
    trace_context: str | None = None
    idempotency_key: IdempotencyKey | None = None
    rerun_of: TaskId | None = None
    owner: Owner | None = None
    task_type: str | None = None
    wait_for_completion: bool = False
    project_callback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A committed task: from now on it reaches a terminal status whatever fails.

    `repeated` says that an earlier submission under the same idempotency key created it.
    """

    task_id: TaskId
    submitted_at: datetime
    correlation_id: CorrelationId
    repeated: bool = False


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
class Register:
    """A group of bits in bitstrings: a register, a single bit, or a run of single bits.

    The last of these has no name.
    """

    bits: int
    name: str | None = None


class WarningCode(StrEnum):
    """The kind of a warning about a program."""

    PRAGMA_IGNORED = "pragma_ignored"
    ANNOTATION_IGNORED = "annotation_ignored"
    GATE_PHASE = "gate_phase"
    BRAKET_DIALECT = "braket_dialect"
    CONVERSION_DIFFERS = "conversion_differs"
    OBSERVABLE_MEASURED = "observable_measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarning:
    """A warning about a program that runs; line and column count from 1 where they are known."""

    code: WarningCode
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Facts about the execution of a program.

    `method` is the simulation method used, `method_reason` the reason for it, and `engine` the library that ran it:
    aer, aer_gpu, lightning, stim or numpy; None for tasks from before it was recorded. `operations` maps names of
    operations in the simulated circuit to their numbers (control-flow blocks count once), `depth` is the circuit's
    depth. `tier` is the front end that read the program: scanner, importer, unroller, openqasm2 or qpy; None for tasks
    from before it was recorded. `registers` are the groups of the bitstrings in the order of declaration, the rightmost
    first; None likewise. `seed_scheme` names the rule by which random numbers come from the seed: only tasks with the
    same rule give the same counts for the same seed. It is None for tasks from before it was recorded, and if nothing
    is drawn. `warnings` are those about the program, in the order of its text. Times are wall-clock seconds;
    `queued_seconds` is the whole wait from the submission, or the scheduled time, to the claim of the last attempt,
    including delays and earlier attempts. `processor_seconds` is the processor time that the simulator took, of all
    threads, and `memory_bytes` the peak of its resident memory meanwhile; None where they were not measured.
    `placement` says where a program was placed on a device for which it was transpiled; its `qubits`, `depth` and
    `operations` are then those of the part of that circuit that was simulated.
    """

    method: str
    qubits: int
    depth: int
    operations: Mapping[str, int]
    parsing_seconds: float
    simulating_seconds: float
    queued_seconds: float = 0.0
    method_reason: str | None = None
    engine: str | None = None
    tier: str | None = None
    seed_scheme: int | None = None
    registers: Sequence[Register] | None = None
    warnings: Sequence[ProgramWarning] = ()
    processor_seconds: float | None = None
    memory_bytes: int | None = None
    placement: Placement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The counts of one point of a sweep, its shots if they were requested, and its outputs; as in `RunResult`.

    `counts` is empty if the task has outputs, but no counts.
    """

    counts: Mapping[str, int]
    memory: Sequence[str] | None = None
    outputs: Outputs | None = None


class MediaType(StrEnum):
    """The media types of converted programs; those of OpenQASM, QPY and QIR are not registered."""

    TEXT = "text/plain"
    BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A converted program: text, or `base64` of a binary format, whose media type is `media_type`."""

    content: str
    media_type: MediaType
    base64: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Counts of one execution.

    Bitstrings are Qiskit's: bit 0 rightmost, a space between classical registers, the last declared register first. The
    values sum to `shots`. `memory`, if it was requested, has the bitstring of every shot in order. A sweep has
    `points`, each with `shots` shots, and no `counts` or `memory` of its own. A task with observables has
    `expectation_values` in their order, for a sweep a sequence for each point, and no counts; those that were estimated
    have `standard_errors` of the same shape, and with a gradient it has `gradients` in the same order, and those that
    were estimated `gradient_standard_errors`. `mitigation` has
    under `zne` what a zero-noise extrapolation was made of, and under `readout` the corrected counts, for a sweep at
    each point. A task of kind `convert` has a
    `conversion`, no counts and no shots. `outputs` are those that were requested by name; without counts among them,
    `counts` is empty.
    """

    counts: Mapping[str, int]
    shots: int
    profile: Profile
    memory: Sequence[str] | None = None
    points: Sequence[Point] | None = None
    expectation_values: ExpectationValues | None = None
    standard_errors: ExpectationValues | None = None
    mitigation: Mapping[str, object] | None = None
    gradients: Gradients | None = None
    gradient_standard_errors: Gradients | None = None
    conversion: Conversion | None = None
    outputs: Outputs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why an execution gave no result; line and column count from 1 in the submitted program."""

    code: FailureCode
    message: str
    line: int | None = None
    column: int | None = None


class RemoteStatus(StrEnum):
    """The status of a job at its backend."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (RemoteStatus.DONE, RemoteStatus.FAILED, RemoteStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """The job of a task at an external backend; it has no id and no status while it is being submitted."""

    remote_id: str | None = None
    status: RemoteStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToCancel:
    """The job of a task that was cancelled, or failed at its time limit, `ended_for` ago by the database's clock."""

    task_id: TaskId
    job: RemoteJob
    ended_for: timedelta


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
