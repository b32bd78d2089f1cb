"""What goes over HTTP: the shapes that the API writes and the client reads, and the other way round."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ketline.domain.backend import METHODS, WITHDRAWN
from ketline.domain.priority import HIGHEST, LOWEST, SECONDS_PER_POINT
from ketline.domain.spec import Method, ProgramFormat, format_by_header
from ketline.domain.task import FailureCode, TaskStatus, WarningCode
from ketline.schemas.inputs import Inputs
from ketline.schemas.labels import Schedule, TaskMetadata, TaskName, TaskTags
from ketline.schemas.observables import Observables

DEFAULT_SHOTS = 1024

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def rfc3339(moment: datetime) -> str:
    """Write an aware time in UTC with microseconds and a final Z, always 27 characters long."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-02T03:04:05.678901Z"]}),
]


def _refuse_unstorable(text: str) -> str:
    # PostgreSQL stores no NUL, and neither database nor logs take half a surrogate pair.
    if not text.strip():
        raise PydanticCustomError("program_empty", "must not be empty")
    if "\x00" in text:
        raise PydanticCustomError("program_characters", "must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("program_characters", "must not contain lone surrogates") from error
    return text


def _require_offered(method: object) -> object:
    if isinstance(method, str) and method in METHODS:
        return method
    *others, last = map(repr, map(str, METHODS))
    why = f": {WITHDRAWN}" if method == Method.EXTENDED_STABILIZER else ""
    raise PydanticCustomError(
        "method", "must be {offered}{why}", {"offered": f"{', '.join(others)} or {last}", "why": why}
    )


OfferedMethod = Annotated[
    Method,
    Field(strict=False),
    BeforeValidator(_require_offered),
    WithJsonSchema({"type": "string", "enum": [method.value for method in METHODS]}),
]
ProgramText = Annotated[str, AfterValidator(_refuse_unstorable), Field(min_length=1)]
QpyText = Annotated[str, Field(min_length=1, json_schema_extra={"contentEncoding": "base64"})]


_MEMORY, _SHOTS, _OBSERVABLES = {"field": "memory"}, {"field": "shots"}, {"field": "observables"}


class SubmitRequest(BaseModel):
    """A program to run: exactly one of `qc`, `circuit` and `qpy`. `shots` left out means the server's default.

    Without `format` the header of the program says what it is written in, and OpenQASM 3 is it where there is none.
    """

    # That one of the three is required is not part of the JSON schema: client generators make no model, or one without
    # fields, of an object that is a union of requirements.
    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"qc": BELL, "shots": 1024}]}
    )

    qc: Annotated[ProgramText, Field(description="OpenQASM text")] = ""
    circuit: Annotated[ProgramText, Field(description="Another name for `qc`; give one of the two")] = ""
    qpy: Annotated[QpyText, Field(description="A circuit in QPY, versions 13 to 18, as base64; instead of `qc`")] = ""
    format: Annotated[
        ProgramFormat | None,
        Field(description="What the program is written in; found by its header where it is left out"),
    ] = None
    shots: Annotated[int, Field(ge=1, description="How often the program is run")] = DEFAULT_SHOTS
    seed: Annotated[
        int | None, Field(ge=0, le=2**63 - 1, description="The same seed and program give the same counts")
    ] = None
    method: Annotated[OfferedMethod, Field(description="Simulation method")] = Method.AUTOMATIC
    memory: Annotated[bool, Field(description="Keep the outcome of every shot, in order")] = False
    timeout_s: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="Seconds after which it is stopped")
    ] = None
    max_attempts: Annotated[
        int | None, Field(ge=1, description="How often it is tried when workers are lost under it")
    ] = None

    inputs: Annotated[
        Inputs,
        Field(
            description="Values for the program's `input` declarations: numbers, booleans, strings of bits, "
            'bit 0 rightmost, or arrays as `{"array": [[1, 2], [3, 4]]}`. '
            "Lists of one length make a sweep: the program is run once for each of their places",
            examples=[
                {"theta": 0.3, "n": 4, "flag": True, "bits": "0101"},
                {"theta": [0.1, 0.2, 0.3], "phi": 0.5},
                {"angles": {"array": [0.1, 0.2]}},
            ],
        ),
    ] = {}

    name: Annotated[TaskName | None, Field(description="What the client calls the task")] = None
    tags: Annotated[TaskTags, Field(description="Distinct words to find the task by", examples=[["vqe", "run-7"]])] = []
    metadata: Annotated[
        TaskMetadata, Field(description="Kept with the task and never read", examples=[{"experiment": 12}])
    ] = {}
    scheduled_for: Annotated[
        Schedule | None, Field(description="Not run before this time; one that is past means at once")
    ] = None

    priority: Annotated[
        int,
        Field(
            ge=LOWEST,
            le=HIGHEST,
            description="Tasks of higher priority are taken first; "
            f"a point counts as much as {SECONDS_PER_POINT} seconds of waiting",
        ),
    ] = 0

    hold: Annotated[bool, Field(description="Not run before `POST /tasks/{task_id}/enqueue` releases it")] = False

    observables: Annotated[
        Observables,
        Field(
            description="Sums of Pauli operators whose expectation values are wanted instead of counts: coefficients "
            "by label, whose rightmost letter is that of qubit 0. A sweep may have a list of them for each point",
            examples=[[{"ZZ": 1.0}, {"XX": 0.5, "IZ": -1.25}]],
        ),
    ] = []

    @property
    def program(self) -> str:
        return self.qc or self.circuit or self.qpy

    @property
    def program_format(self) -> ProgramFormat:
        return ProgramFormat.QPY if self.qpy else self.format or format_by_header(self.program)

    @property
    def _points(self) -> int | None:
        return next((len(values) for values in self.inputs.values() if isinstance(values, list)), None)

    @model_validator(mode="after")
    def _require_one_program(self) -> Self:
        if not self.program:
            raise PydanticCustomError("program_missing", "is required", {"field": "qc"})
        if self.qc and self.circuit and self.qc != self.circuit:
            raise PydanticCustomError("program_ambiguous", "differs from qc: give one of the two", {"field": "circuit"})
        if self.qpy and (self.qc or self.circuit):
            raise PydanticCustomError("program_ambiguous", "is a second program: give qc or qpy", {"field": "qpy"})
        if self.qpy and self.format not in (None, ProgramFormat.QPY):
            raise PydanticCustomError("program_format", "must be 'qpy' for a program in qpy", {"field": "format"})
        return self

    @model_validator(mode="after")
    def _require_one_wish(self) -> Self:
        if self.observables and self.memory:
            raise PydanticCustomError("wishes_mixed", "has no meaning with observables: there are no shots", _MEMORY)
        if self.observables and "shots" in self.model_fields_set:
            raise PydanticCustomError("wishes_mixed", "has no meaning with observables: values are exact", _SHOTS)
        own, points = [one for one in self.observables if isinstance(one, list)], self._points
        if own and len(own) != points:
            text = "must be one list for all points, or a list for each of the {points} points that inputs make"
            raise PydanticCustomError("observable_points", text, {**_OBSERVABLES, "points": points or "0"})
        return self


MOST_IN_A_BATCH = 1000


class BatchRequest(BaseModel):
    """Programs to run, all of which are stored, or none."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"tasks": [{"qc": BELL, "shots": 100}]}]}
    )

    tasks: Annotated[list[SubmitRequest], Field(min_length=1, max_length=MOST_IN_A_BATCH)]


class TaskAccepted(BaseModel):
    """The task is stored and will reach a terminal status."""

    task_id: UUID
    message: str = "Task submitted successfully."
    submitted_at: Timestamp
    correlation_id: str


class BatchAccepted(BaseModel):
    """The tasks are stored, in the order they were given."""

    tasks: list[TaskAccepted]


class TaskResult(BaseModel):
    """Counts as Qiskit writes them: bit 0 rightmost, a space between registers, the last declared one first.

    A sweep has an array of them, one for each point. A task with observables has their expectation values in their
    order, of a sweep an array of them for each point, and neither counts nor shots.
    """

    counts: dict[str, int] | list[dict[str, int]] | None = Field(default=None, examples=[{"00": 512, "11": 512}])
    shots: int | None = Field(default=None, examples=[1024], description="Of each point, where there are points")
    memory: list[str] | list[list[str]] | None = Field(
        default=None, description="The outcome of every shot, in order, if asked for"
    )
    expectation_values: list[float] | list[list[float]] | None = Field(
        default=None, examples=[[1.0, 0.5]], description="Of the observables, if asked for"
    )
    # Not `const`: a generated client would compare it with the text "true".
    success: Annotated[Literal[True], WithJsonSchema({"type": "boolean"})] = True


class TaskFailure(BaseModel):
    """Why a task gave no result; line and column count from 1 and point into the submitted program."""

    code: FailureCode
    message: str
    line: int | None = None
    column: int | None = None


class RegisterView(BaseModel):
    """Bits that stand together in counts keys; several bits that were declared one by one have no name."""

    name: str | None = Field(default=None, examples=["c"])
    bits: int = Field(examples=[2])


class WarningView(BaseModel):
    """What the author of a program that runs should know; line and column count from 1."""

    code: WarningCode
    message: str = Field(examples=["the pragma 'pragma my_tool layout' is ignored"])
    line: int | None = None
    column: int | None = None


class TaskProfile(BaseModel):
    """What running the program took; times are wall-clock seconds."""

    method: str = Field(examples=["stabilizer"], description="Simulation method used")
    method_reason: str | None = Field(default=None, examples=["Clifford gates only"], description="Why this method")
    tier: str | None = Field(
        default=None,
        examples=["scanner"],
        description="What read the program: scanner, importer, unroller, openqasm2 or qpy",
    )
    seed_scheme: int | None = Field(
        default=None,
        examples=[2],
        description="How random numbers come from the seed; another scheme gives other counts for the same seed",
    )
    registers: list[RegisterView] | None = Field(
        default=None,
        description="What the groups of a counts key are, in the order of declaration: the rightmost first",
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


class StatusEntry(BaseModel):
    """One line of a task's history; attempt and worker are known from the first claim on.

    The line that ends an attempt says how long it took and, unless it completed, why it ended.
    """

    status: TaskStatus
    transitioned_at: Timestamp
    notes: str | None = Field(default=None, examples=["Task created and queued"])
    attempt: int | None = None
    worker_id: str | None = None
    cause: str | None = Field(default=None, examples=["worker_lost"])
    duration_seconds: float | None = Field(default=None, examples=[0.0123])


class StatusEvent(StatusEntry):
    """A line of a task's history, as an event."""

    task_id: UUID


class QueueView(BaseModel):
    """Where a task stands among those that wait for a worker."""

    position: int = Field(examples=[3], description="1 is taken next")
    at_least: bool | None = Field(
        default=None, description="True where the tasks before it were not counted to the end"
    )
    estimated_start: Timestamp | None = Field(
        default=None, description="If tasks go on ending as they did in the last minute; an estimate, no promise"
    )


class TaskView(BaseModel):
    """A task as it stands; fields without a value are left out. The program itself is not part of it."""

    task_id: UUID
    status: TaskStatus
    submitted_at: Timestamp
    completed_at: Timestamp | None = None
    message: str = Field(examples=["Task completed successfully."])
    shots: int = Field(examples=[1024])
    seed: int | None = Field(default=None, examples=[3472614], description="Submit it again for the same counts")
    program_format: ProgramFormat | None = Field(
        default=None, description="`openqasm2` or `qpy` where it is not OpenQASM 3"
    )
    name: str | None = Field(default=None, examples=["H2 at 0.7 angstrom"])
    tags: list[str] | None = Field(default=None, examples=[["vqe", "run-7"]])
    metadata: dict[str, JsonValue] | None = Field(default=None, examples=[{"experiment": 12}])
    scheduled_for: Timestamp | None = Field(default=None, description="The task is not run before this time")
    priority: int | None = Field(default=None, examples=[10], description="Left out where it is 0")
    hold: bool | None = Field(default=None, description="True for a task that is held until it is released")
    released_at: Timestamp | None = Field(default=None, description="When a held task was released")
    rerun_of: UUID | None = Field(default=None, description="The task whose program this one runs again")
    queue: QueueView | None = Field(
        default=None, description="If asked for by `?queue=true`, while the task waits for a worker"
    )
    result: TaskResult | None = None
    error: TaskFailure | None = None
    profile: TaskProfile | None = None
    status_history: list[StatusEntry]
    correlation_id: str


class FieldError(BaseModel):
    """One thing wrong with a request: `pointer` into the JSON body, or the `parameter` of the address."""

    detail: str
    pointer: str | None = Field(default=None, examples=["#/shots"], description="JSON Pointer as a URI fragment")
    parameter: str | None = Field(default=None, examples=["task_id"])


class Problem(BaseModel):
    """A problem document (RFC 9457); `code` is stable, texts are for people and may change."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    correlation_id: str
    errors: list[FieldError] | None = Field(default=None, description="What is wrong with each field")
    task_status: TaskStatus | None = Field(default=None, description="Where the task stands, if that is the problem")
    error: TaskFailure | None = Field(default=None, description="Why the task failed, if that is the problem")


Connection = Literal["connected", "disconnected"]
Trouble = Annotated[
    str | None,
    Field(
        examples=["database_read_only"],
        description="The code of what is wrong, as requests are refused with; left out when nothing is",
    ),
]


class HealthView(BaseModel):
    """Whether everything that Ketline depends on can be used; `disconnected` is what cannot."""

    status: Literal["healthy", "unhealthy"]
    timestamp: Timestamp
    database_status: Connection
    queue_status: Connection
    database_problem: Trouble = None
    queue_problem: Trouble = None


class ReadinessView(BaseModel):
    """Whether this process can take work: it can as long as the database takes writes, a worker that is in it has a
    simulator, and it is not stopping."""

    status: Literal["ready", "not_ready"]
    missing: list[Literal["database", "queue", "simulators"]] = Field(description="What cannot be used now")
    stopping: bool
    database_problem: Trouble = None
    queue_problem: Trouble = None
    simulator_problem: str | None = Field(default=None, description="Why no simulator can be started")


class LivenessView(BaseModel):
    status: Literal["alive"] = "alive"
