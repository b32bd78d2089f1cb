"""The shapes of tasks, submissions, problems and health over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
)

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.failures import FailureCode
from ketline.domain.limits import MAX_BATCH_TASKS
from ketline.domain.results.result import WarningCode
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.schemas.device_runs import PlacementView
from ketline.schemas.outputs import OutputView
from ketline.schemas.types import Timestamp


class TaskResult(BaseModel):
    """Counts in Qiskit's format: bit 0 rightmost, a space between registers, the last declared register first.

    A sweep has an array of counts, one for each point. A task with observables has no counts and shots, but their
    expectation values in the same order; for a sweep, an array of them for each point. Values that were estimated have
    standard errors, exact ones have none. A task with outputs has these,
    and counts and shots if they are among them. A conversion has an output.
    """

    counts: dict[str, int] | list[dict[str, int]] | None = Field(default=None, examples=[{"00": 512, "11": 512}])
    shots: int | None = Field(default=None, examples=[1024], description="For a sweep, of each point")
    memory: list[str] | list[list[str]] | None = Field(
        default=None, description="The outcome of every shot, in order, if requested"
    )
    expectation_values: list[float] | list[list[float]] | None = Field(
        default=None, examples=[[1.0, 0.5]], description="Of the observables, if the request has any"
    )
    gradients: list[JsonValue] | None = Field(
        default=None,
        examples=[[{"theta": 0.5, "angles": [0.1, -0.2]}]],
        description="For each observable, its derivatives by the name of the input, those of an array in its shape; "
        "of a sweep an array of these for each point",
    )
    gradient_standard_errors: list[JsonValue] | None = Field(
        default=None,
        examples=[[{"theta": 0.01, "angles": [0.02, 0.01]}]],
        description="Of the derivatives, in the same shape, if values were estimated from shots",
    )
    standard_errors: list[float] | list[list[float]] | None = Field(
        default=None,
        examples=[[0.0, 0.02]],
        description="Of the expectation values, in the same shape, if they were estimated from shots",
    )
    mitigation: dict[str, JsonValue] | None = Field(
        default=None,
        description="Under `zne` what the values were extrapolated from, of a sweep for each point: the scale factors "
        "as they were reached, the values of the observables at each, their standard errors, and the curve of each. "
        "Under `readout` the corrected counts, likewise: `quasi_probabilities`, which can be negative, of the outcomes "
        "that were counted, the `probabilities` nearest to them, and the `overhead` in variance",
    )
    outputs: dict[str, OutputView] | list[dict[str, OutputView]] | None = Field(
        default=None, description="The requested outputs by name; of a sweep an array of them, one for each point"
    )
    output: str | None = Field(
        default=None, description="The converted program; `GET /tasks/{task_id}/output` has it as a file"
    )
    encoding: Literal["base64"] | None = Field(default=None, description="Of a binary output; absent for text")
    media_type: str | None = Field(default=None, examples=["text/plain"], description="Of the output")
    # Not `const`: a generated client would compare it with the text "true".
    success: Annotated[Literal[True], WithJsonSchema({"type": "boolean"})] = True


class TaskFailure(BaseModel):
    """Why a task gave no result; line and column count from 1 and point into the submitted program."""

    code: FailureCode
    message: str
    line: int | None = None
    column: int | None = None


class RegisterView(BaseModel):
    """A group of bits in counts keys: a register, or several bits that were declared one by one, without a name."""

    name: str | None = Field(default=None, examples=["c"])
    bits: int = Field(examples=[2])


class WarningView(BaseModel):
    """A warning about a program; line and column count from 1."""

    code: WarningCode
    message: str = Field(examples=["the pragma 'pragma my_tool layout' is ignored"])
    line: int | None = None
    column: int | None = None


class TaskProfile(BaseModel):
    """How the program was run, and how long it took in wall-clock seconds."""

    method: str = Field(examples=["stabilizer"], description="Simulation method used")
    method_reason: str | None = Field(default=None, examples=["Clifford gates only"], description="Why this method")
    engine: str | None = Field(
        default=None,
        examples=["stim"],
        description="The library that ran it: aer, aer_gpu (Aer on a GPU), lightning, stim or numpy",
    )
    tier: str | None = Field(
        default=None,
        examples=["scanner"],
        description="The front end that read the program: scanner, importer, unroller, openqasm2 or qpy",
    )
    seed_scheme: int | None = Field(
        default=None,
        examples=[2],
        description="Version of the derivation of random numbers from the seed; other versions give other counts",
    )
    registers: list[RegisterView] | None = Field(
        default=None,
        description="The groups of a counts key, in the order of declaration: the rightmost first",
    )
    warnings: list[WarningView] | None = Field(
        default=None, description="About the program, in the order of its text; absent if there are none"
    )
    qubits: int = Field(examples=[2])
    depth: int = Field(examples=[3])
    operations: dict[str, int] = Field(examples=[{"h": 1, "cx": 1, "measure": 2}])
    queued_seconds: float = Field(examples=[0.0021])
    parsing_seconds: float = Field(examples=[0.0004])
    simulating_seconds: float = Field(examples=[0.0011])
    processor_seconds: float | None = Field(
        default=None, examples=[0.0014], description="Processor time of the simulator, of all threads"
    )
    memory_bytes: int | None = Field(
        default=None, examples=[201326592], description="Peak of the simulator's resident memory"
    )
    placement: PlacementView | None = Field(default=None, description="Of a task with a device")


class StatusEntry(BaseModel):
    """A change of a task's status; attempt and worker are set from the first claim on.

    A change that ends an attempt has its duration and, unless it completed, its cause.
    """

    status: TaskStatus
    transitioned_at: Timestamp
    notes: str | None = Field(default=None, examples=["Task created and queued"])
    attempt: int | None = None
    worker_id: str | None = None
    cause: str | None = Field(default=None, examples=["worker_lost"])
    duration_seconds: float | None = Field(default=None, examples=[0.0123])


class StatusEvent(StatusEntry):
    """A change of a task's status, as an event."""

    task_id: UUID


class QueueView(BaseModel):
    """The position of a task in the queue."""

    position: int = Field(examples=[3], description="1 runs next")
    at_least: bool | None = Field(default=None, description="True if not all tasks before it were counted")
    estimated_start: Timestamp | None = Field(
        default=None, description="Estimate from the tasks that ended in the last minute"
    )


class RemoteJobView(BaseModel):
    """The job of a task at its external backend; it has no id while it is being submitted."""

    id: str | None = Field(default=None, examples=["6f3b1c9e"], description="The backend's id of the job")
    status: str = Field(examples=["queued"], description="submitting, queued, running, done, failed or cancelled")


class TaskView(BaseModel):
    """A task without its program; fields without a value are left out."""

    task_id: UUID
    status: TaskStatus
    submitted_at: Timestamp
    completed_at: Timestamp | None = None
    message: str = Field(examples=["Task completed successfully."])
    shots: int = Field(examples=[1024])
    seed: int | None = Field(
        default=None, examples=[3472614], description="Submit the program with it for the same counts"
    )
    program_format: ProgramFormat | None = Field(
        default=None, description="`openqasm2` or `qpy` if the program is not OpenQASM 3"
    )
    name: str | None = Field(default=None, examples=["H2 at 0.7 angstrom"])
    tags: list[str] | None = Field(default=None, examples=[["vqe", "run-7"]])
    metadata: dict[str, JsonValue] | None = Field(default=None, examples=[{"experiment": 12}])
    scheduled_for: Timestamp | None = Field(default=None, description="The task is not run before this time")
    priority: int | None = Field(default=None, examples=[10], description="Left out where it is 0")
    kind: TaskKind | None = Field(default=None, description="Left out for a simulation")
    target: Target | None = Field(default=None, description="The format to which the program is converted")
    qir_profile: QirProfile | None = Field(default=None, description="The profile of QIR that was requested")
    bitcode: bool | None = Field(default=None, description="True if QIR was requested as bitcode")
    backend: str | None = Field(default=None, description="The external backend that runs the program")
    remote_job: RemoteJobView | None = Field(default=None, description="The job at the backend")
    hold: bool | None = Field(default=None, description="True for a task that is held until it is released")
    released_at: Timestamp | None = Field(default=None, description="When a held task was released")
    rerun_of: UUID | None = Field(default=None, description="The task whose program this one runs again")
    owner: str | None = Field(
        default=None, examples=["ada"], description="The owner of the key with which it was submitted"
    )
    callback: str | None = Field(
        default=None, description="The URL to which its end is delivered; see `/tasks/{task_id}/deliveries`"
    )
    project: str | None = Field(default=None, examples=["optics"], description="Left out where it is `default`")
    queue: QueueView | None = Field(default=None, description="With `?queue=true`, while the task waits for a worker")
    result: TaskResult | None = None
    error: TaskFailure | None = None
    profile: TaskProfile | None = None
    method: Method = Field(default=Method.AUTOMATIC, description="The simulation method that was requested")
    memory: bool | None = Field(default=None, description="True where the outcome of every shot was requested")
    inputs: dict[str, JsonValue] | None = Field(
        default=None, description="Values of `input` declarations; left out where they take more than 64 KiB"
    )
    observables: list[JsonValue] | None = Field(default=None, description="As submitted, up to 64 KiB")
    sampled: bool | None = Field(default=None, description="True where expectation values are estimated from shots")
    precision: float | None = Field(default=None, description="The standard error that was requested")
    mitigation: dict[str, JsonValue] | None = Field(default=None, description="As requested, with its defaults")
    noise: JsonValue = Field(default=None, description="As submitted, up to 64 KiB; left out without noise")
    outputs: list[JsonValue] | None = Field(default=None, description="The requested outputs: type, name and qubits")
    gradient: JsonValue = Field(default=None, description="The requested gradient: its method, and inputs if named")
    device: dict[str, JsonValue] | None = Field(
        default=None, description="The requested device, with the digest of what it was then"
    )
    timeout_s: float | None = Field(default=None, description="The time limit that was requested, in seconds")
    max_attempts: int | None = Field(default=None, examples=[3], description="How often it is tried at most")
    retry_count: int = Field(default=0, description="How many attempts were followed by another one")
    max_retries: int | None = Field(default=None, examples=[2], description="`max_attempts` less the first")
    updated_at: Timestamp | None = Field(default=None, description="When its status changed last, or it was released")
    task_type: str | None = Field(
        default=None, examples=["simulate"], description="Its kind, if a client of an older service submitted it"
    )
    created_at: Timestamp | None = Field(default=None, description="With `task_type`: `submitted_at`")
    meta_data: dict[str, JsonValue] | None = Field(
        default=None, description="With `task_type`: `metadata`, and facts about the program that was run"
    )
    status_history: list[StatusEntry]
    correlation_id: str


class EndedRequest(BaseModel):
    """The tasks to read."""

    model_config = ConfigDict(extra="forbid")

    task_ids: Annotated[
        list[UUID], Field(min_length=1, max_length=MAX_BATCH_TASKS, examples=[["0199a1b2-0000-7000-8000-000000000001"]])
    ]
    until: Literal["all", "any"] = Field(
        default="all", description="What `Prefer: wait` waits for: the end of all of these tasks, or of any"
    )


class EndedTaskView(BaseModel):
    """A task that has ended, with its result or the reason why it has none; without its options and history."""

    task_id: UUID
    status: TaskStatus
    submitted_at: Timestamp
    completed_at: Timestamp | None = None
    shots: int = Field(examples=[1024])
    seed: int | None = Field(default=None, examples=[3472614])
    correlation_id: str
    profile: TaskProfile | None = None
    result: TaskResult | None = None
    error: TaskFailure | None = None


class EndedTasksView(BaseModel):
    """Those of the requested tasks that have ended, in the order of the request, and the ids of the others."""

    tasks: list[EndedTaskView]
    running: list[UUID] = Field(description="Pending or processing")
    unread: list[UUID] = Field(
        description="Ended, but not in `tasks`, because the response would be too large: request them again, and "
        "read the tasks one by one if there is nothing in `tasks`"
    )
    missing: list[UUID] = Field(description="No task has this id")
