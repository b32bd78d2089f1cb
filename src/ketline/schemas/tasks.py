"""The shapes of tasks, submissions, problems and health over HTTP."""

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
from ketline.domain.backend_jobs import BACKEND_NAME_PATTERN
from ketline.domain.gradients import GradientMethod
from ketline.domain.limits import MAX_BATCH_TASKS
from ketline.domain.observables import least_bound
from ketline.domain.outputs import OF_ONE_STATE, OutputType, gives_counts
from ketline.domain.priority import HIGHEST, LOWEST, SECONDS_PER_POINT
from ketline.domain.spec import Method, ProgramFormat, QirProfile, Target, TaskKind, format_by_header
from ketline.domain.task import FailureCode, TaskStatus, WarningCode
from ketline.schemas.callbacks import CallbackText
from ketline.schemas.device_runs import DeviceOrName, PlacementView
from ketline.schemas.gradients import GradientRequest
from ketline.schemas.inputs import Inputs
from ketline.schemas.labels import Schedule, TaskMetadata, TaskName, TaskTags
from ketline.schemas.mitigation import MitigationRequest
from ketline.schemas.noise import Noise
from ketline.schemas.observables import Observables
from ketline.schemas.outputs import OutputRequests, OutputView

DEFAULT_SHOTS = 1024

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def rfc3339(moment: datetime) -> str:
    """Format an aware time in UTC with microseconds and a final Z, always 27 characters long."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-02T03:04:05.678901Z"]}),
]


def _reject_unstorable(text: str) -> str:
    # PostgreSQL stores no NUL, and neither the database nor logs accept a lone surrogate.
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
ProgramText = Annotated[str, AfterValidator(_reject_unstorable), Field(min_length=1)]
BackendId = Annotated[str, Field(pattern=BACKEND_NAME_PATTERN, examples=["braket-local"])]
QpyText = Annotated[str, Field(min_length=1, json_schema_extra={"contentEncoding": "base64"})]


_MEMORY, _PRECISION, _OBSERVABLES = {"field": "memory"}, {"field": "precision"}, {"field": "observables"}
_OUTPUTS, _GRADIENT, _NOISE = {"field": "outputs"}, {"field": "gradient"}, {"field": "noise"}
_MITIGATION = {"field": "mitigation"}


# The fields that only tasks of one kind have.
_OF_KIND = {
    "target": TaskKind.CONVERT,
    "profile": TaskKind.CONVERT,
    "bitcode": TaskKind.CONVERT,
    "backend": TaskKind.RUN,
}
_OF_SIMULATIONS = (
    "method",
    "memory",
    "observables",
    "noise",
    "outputs",
    "gradient",
    "device",
    "precision",
    "mitigation",
)
# The fields of a simulation that the other kinds do not have.
_NOT_OF_KIND = {TaskKind.CONVERT: ("shots", "seed", *_OF_SIMULATIONS), TaskKind.RUN: _OF_SIMULATIONS}


class SubmitRequest(BaseModel):
    """A program to run: exactly one of `qc`, `circuit` and `qpy`. Without `shots` the server's default applies.

    Without `format` the header of the program decides; a program without a header is OpenQASM 3.
    """

    # The JSON schema does not say that one of the three is required: client generators create no model, or an empty
    # one, from an object that is a union of requirements.
    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"qc": BELL, "shots": 1024}]}
    )

    qc: Annotated[ProgramText, Field(description="OpenQASM text")] = ""
    circuit: Annotated[ProgramText, Field(description="Another name for `qc`; use one of the two")] = ""
    qpy: Annotated[QpyText, Field(description="A circuit in QPY, versions 13 to 18, as base64; instead of `qc`")] = ""
    format: Annotated[
        ProgramFormat | None,
        Field(description="Format of the program; default: that of its header"),
    ] = None
    # `api/openapi.py` describes it, with the limits of the service.
    shots: Annotated[int | None, Field(ge=1)] = None
    seed: Annotated[
        int | None, Field(ge=0, le=2**63 - 1, description="The same seed and program give the same counts")
    ] = None
    method: Annotated[OfferedMethod, Field(description="Simulation method")] = Method.AUTOMATIC
    memory: Annotated[bool, Field(description="Whether the result has the outcome of every shot, in order")] = False
    timeout_s: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Seconds after which the program is stopped; "
            "of the kind `run`, after whose submission to the backend the job is cancelled",
        ),
    ] = None
    max_attempts: Annotated[
        int | None, Field(ge=1, description="Most attempts, if workers are lost while they run it")
    ] = None

    inputs: Annotated[
        Inputs,
        Field(
            description="Values for the program's `input` declarations: numbers, booleans, strings of bits, "
            'bit 0 rightmost, or arrays as `{"array": [[1, 2], [3, 4]]}`. '
            "Lists of equal length make a sweep: the program is run once for each position in them",
            examples=[
                {"theta": 0.3, "n": 4, "flag": True, "bits": "0101"},
                {"theta": [0.1, 0.2, 0.3], "phi": 0.5},
                {"angles": {"array": [0.1, 0.2]}},
            ],
        ),
    ] = {}

    name: Annotated[TaskName | None, Field(description="Name of the task")] = None
    tags: Annotated[TaskTags, Field(description="Distinct tags to find the task by", examples=[["vqe", "run-7"]])] = []
    metadata: Annotated[
        TaskMetadata, Field(description="Stored with the task; Ketline does not use it", examples=[{"experiment": 12}])
    ] = {}
    scheduled_for: Annotated[
        Schedule | None, Field(description="Not run before this time; a past time means at once")
    ] = None

    priority: Annotated[
        int,
        Field(
            ge=LOWEST,
            le=HIGHEST,
            description="Tasks of higher priority run first; "
            f"a point counts as much as {SECONDS_PER_POINT} seconds of waiting",
        ),
    ] = 0

    hold: Annotated[bool, Field(description="Not run before `POST /tasks/{task_id}/enqueue` releases it")] = False

    callback: Annotated[
        CallbackText | None,
        Field(description="URL that a signed message is sent to when the task has ended; default: the project's"),
    ] = None

    kind: Annotated[
        TaskKind,
        Field(
            strict=False,
            description="What is done with the program: it is simulated, converted to `target`, "
            "or run on the external backend `backend`",
        ),
    ] = TaskKind.SIMULATE
    target: Annotated[
        Target | None, Field(strict=False, description="The format to which a task of kind `convert` converts")
    ] = None
    profile: Annotated[QirProfile | None, Field(strict=False, description="The profile of QIR; default: `base`")] = None
    bitcode: Annotated[bool, Field(description="QIR as bitcode, encoded as base64, in place of text")] = False
    backend: Annotated[
        BackendId | None, Field(description="The external backend on which a task of kind `run` runs")
    ] = None

    observables: Annotated[
        Observables,
        Field(
            description="Sums of Pauli operators; the result has their expectation values instead of counts: exact, or "
            "with `shots` or `precision` estimates. "
            "Coefficients by label, whose rightmost letter is that of qubit 0. A sweep may have a list for each point",
            examples=[[{"ZZ": 1.0}, {"XX": 0.5, "IZ": -1.25}]],
        ),
    ] = []
    noise: Annotated[
        Noise | None,
        Field(
            description="Errors of gates and of readout: `depolarizing`, `thermal_relaxation` or `readout` with their "
            "parameters, a model as Aer's `NoiseModel.to_dict(serializable=True)` returns it, or a list of these",
            examples=[
                {"name": "depolarizing", "one_qubit": 0.001, "two_qubit": 0.01},
                [{"name": "thermal_relaxation", "t1_us": 100, "t2_us": 80, "one_qubit_ns": 35, "two_qubit_ns": 300}],
            ],
        ),
    ] = None

    outputs: Annotated[
        OutputRequests,
        Field(
            description="Values of the state in which the program ends, or of that at a place, by type, of all qubits "
            "or of some. Without `counts` among them the result has no counts, and the program need not measure",
            examples=[
                [
                    "counts",
                    "statevector",
                    {"type": "probabilities", "qubits": [0, 2], "name": "p02", "at": "middle"},
                    {"type": "expectation_values", "observables": [{"ZZ": 1.0}], "variance": True},
                ]
            ],
        ),
    ] = []
    device: Annotated[
        DeviceOrName | None,
        Field(
            description="A device, for which the program is transpiled, and with whose errors it runs unless its "
            "`noise` is false: a name of `GET /devices`, or an object",
            examples=["heavy-hex-57", {"name": "line-27", "optimization_level": 3, "initial_layout": [4, 5]}],
        ),
    ] = None

    gradient: Annotated[
        GradientRequest,
        Field(
            description="Whether the result has the derivatives of each observable by the inputs: `true` for all "
            "of types `float` and `angle`, a list of names, or an object with the method as well",
            examples=[True, ["theta"], {"inputs": ["theta"], "method": "parameter_shift"}],
        ),
    ] = None

    precision: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Estimate the expectation values of `observables` from shots, in as many as this standard "
            "error needs",
            examples=[0.01],
        ),
    ] = None

    mitigation: Annotated[
        MitigationRequest | None,
        Field(
            description="What is done against errors of `noise`, or of a device: in the expectation values of "
            "`observables`, or with `readout` alone in counts",
            examples=[{"zne": {"scale_factors": [1, 3, 5], "extrapolation": "exponential"}, "readout": True}],
        ),
    ] = None

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
            raise PydanticCustomError("program_ambiguous", "differs from qc: use one of the two", {"field": "circuit"})
        if self.qpy and (self.qc or self.circuit):
            raise PydanticCustomError("program_ambiguous", "is a second program: use qc or qpy", {"field": "qpy"})
        if self.qpy and self.format not in (None, ProgramFormat.QPY):
            raise PydanticCustomError("program_format", "must be 'qpy' for a program in qpy", {"field": "format"})
        return self

    @model_validator(mode="after")
    def _require_fields_of_kind(self) -> Self:
        required = {TaskKind.CONVERT: "target", TaskKind.RUN: "backend"}.get(self.kind)
        if required is not None and getattr(self, required) is None:
            raise PydanticCustomError("kind_field", f"is required for the kind {self.kind}", {"field": required})
        foreign = [name for name, kind in _OF_KIND.items() if kind is not self.kind]
        for name in (*foreign, *_NOT_OF_KIND.get(self.kind, ())):
            if getattr(self, name) != type(self).model_fields[name].get_default():
                raise PydanticCustomError("kind_field", f"has no meaning for the kind {self.kind}", {"field": name})
        if self.target is not Target.QIR and (self.profile is not None or self.bitcode):
            field = "bitcode" if self.bitcode else "profile"
            raise PydanticCustomError("kind_field", "has a meaning for the target qir only", {"field": field})
        if self.kind is not TaskKind.SIMULATE and self._points is not None:
            text = "must not have lists: a sweep is for simulations only"
            raise PydanticCustomError("kind_field", text, {"field": "inputs"})
        return self

    @model_validator(mode="after")
    def _reject_mixed_results(self) -> Self:
        if self.observables and self.memory:
            raise PydanticCustomError("wishes_mixed", "has no meaning with observables: they have no counts", _MEMORY)
        if self.precision is not None and not self.observables:
            raise PydanticCustomError("wishes_mixed", "has no meaning without observables", _PRECISION)
        if self.precision is not None and self.shots is not None:
            raise PydanticCustomError("wishes_mixed", "says how many shots are needed: leave shots out", _PRECISION)
        by_point, points = [item for item in self.observables if isinstance(item, list)], self._points
        if by_point and len(by_point) != points:
            text = "must be one list for all points, or a list for each of the {points} points that inputs make"
            raise PydanticCustomError("observable_points", text, {**_OBSERVABLES, "points": points or "0"})
        return self

    @model_validator(mode="after")
    def _require_errors_to_mitigate(self) -> Self:
        if self.mitigation is None:
            return self
        if not self.observables and (self.mitigation.zne is not None or not self._has_counts):
            raise PydanticCustomError("wishes_mixed", "has no meaning without observables", _MITIGATION)
        if self.noise is None and not self._has_noisy_device:
            raise PydanticCustomError("wishes_mixed", "has no meaning without noise", _MITIGATION)
        is_exact = bool(self.observables) and self.shots is None and self.precision is None
        if self.mitigation.readout is not None and is_exact:
            text = "has a meaning with shots or a precision only: exact values have no readout errors"
            raise PydanticCustomError("wishes_mixed", text, _MITIGATION)
        asymptote = None if self.mitigation.zne is None else self.mitigation.zne.asymptote
        if asymptote is not None and abs(asymptote) > least_bound(self.observables):
            text = "has an asymptote that an observable never reaches: the sum of its coefficients' sizes is smaller"
            raise PydanticCustomError("mitigation_asymptote", text, _MITIGATION)
        return self

    @model_validator(mode="after")
    def _require_what_a_gradient_is_of(self) -> Self:
        if self.gradient is None:
            return self
        if not self.observables:
            raise PydanticCustomError("gradient_of", "needs observables, whose gradient it is", _GRADIENT)
        if not self.inputs:
            raise PydanticCustomError("gradient_by", "needs inputs, by which the gradient is taken", _GRADIENT)
        names = self.gradient.get("inputs")
        if isinstance(names, list) and (unknown := [name for name in names if name not in self.inputs]):
            text = "names '{name}', which has no value in inputs"
            raise PydanticCustomError("gradient_by", text, {**_GRADIENT, "name": unknown[0][:40]})
        if self.mitigation is not None:
            raise PydanticCustomError("wishes_mixed", "has no meaning with mitigation: use two tasks", _GRADIENT)
        given = (self.noise, self.shots, self.precision, self.device)
        if any(one is not None for one in given) and self.gradient.get("method") == GradientMethod.ADJOINT:
            text = "has method 'adjoint', which is exact, without noise and a device: choose 'parameter_shift'"
            raise PydanticCustomError("wishes_mixed", text, _GRADIENT)
        return self

    @model_validator(mode="after")
    def _reject_shots_without_counts(self) -> Self:
        if self.outputs and self.observables:
            raise PydanticCustomError("wishes_mixed", "has no meaning with observables: use two tasks", _OUTPUTS)
        pure = next((one.type for one in self.outputs if one.type in OF_ONE_STATE), None)
        if pure is not None and (self.noise is not None or self._has_noisy_device):
            noise = "noise" if self.noise is not None else "the errors of a device"
            text = "has no {type} with {noise}: ask for density_matrix"
            raise PydanticCustomError("wishes_mixed", text, {**_OUTPUTS, "type": pure.value, "noise": noise})
        self._reject_what_no_device_has()
        if self._has_counts:
            return self
        for field, value in (("memory", self.memory or None), ("shots", self.shots)):
            if value is not None:
                text = "has no meaning without counts: add 'counts' to the outputs"
                raise PydanticCustomError("wishes_mixed", text, {"field": field})
        return self

    @property
    def _has_counts(self) -> bool:
        return gives_counts([one.as_requested() for one in self.outputs])

    @property
    def _has_noisy_device(self) -> bool:
        return self.device is not None and self.device.noise

    def _reject_what_no_device_has(self) -> None:
        if self.device is None:
            return
        for one in self.outputs:
            if one.type is OutputType.UNITARY:
                text = "has no unitary with a device, which has further qubits: use two tasks"
                raise PydanticCustomError("wishes_mixed", text, _OUTPUTS)
            if one.type is OutputType.STATEVECTOR and one.at is not None:
                text = "has no statevector at a place with a device: ask for density_matrix"
                raise PydanticCustomError("wishes_mixed", text, _OUTPUTS)
        if self.noise is not None and self.device.noise:
            text = "is that of the device: leave it out, or set the device's noise to false"
            raise PydanticCustomError("wishes_mixed", text, _NOISE)


class BatchRequest(BaseModel):
    """Programs to run; either all of them are stored, or none."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"tasks": [{"qc": BELL, "shots": 100}]}]}
    )

    tasks: Annotated[list[SubmitRequest], Field(min_length=1, max_length=MAX_BATCH_TASKS)]


class TaskAccepted(BaseModel):
    """The task is stored and will reach a terminal status."""

    task_id: UUID
    message: str = "Task submitted successfully."
    submitted_at: Timestamp
    correlation_id: str


class BatchAccepted(BaseModel):
    """The stored tasks, in the order of the request."""

    tasks: list[TaskAccepted]


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


class FieldError(BaseModel):
    """An error in one field of a request: `pointer` into the JSON body, or the query `parameter`."""

    detail: str
    pointer: str | None = Field(default=None, examples=["#/shots"], description="JSON Pointer as a URI fragment")
    parameter: str | None = Field(default=None, examples=["task_id"])


class Problem(BaseModel):
    """A problem document (RFC 9457); `code` is stable, texts are for people and may change."""

    type: str
    title: str
    status: int
    detail: str
    message: str = Field(description="The same text as `detail`, for clients that look for a message")
    code: str
    correlation_id: str
    errors: list[FieldError] | None = Field(default=None, description="The errors of single fields")
    task_status: TaskStatus | None = Field(default=None, description="Status of the task, if that is the problem")
    error: TaskFailure | None = Field(default=None, description="Why the task failed, if that is the problem")
    quota: str | None = Field(default=None, description="Name of the quota that does not permit the request")
    quota_of: Literal["project", "owner"] | None = Field(
        default=None, description="Whether the quota is that of the whole project or of each owner in it"
    )
    used: float | None = Field(
        default=None, description="What is used of the quota; what the request needs, if it needs more than the limit"
    )
    limit: float | None = Field(default=None, description="The limit of the quota")
    free_at: Timestamp | None = Field(
        default=None, description="When the quota is free again; left out if it is free when tasks have ended"
    )


Connection = Literal["connected", "disconnected"]
ProblemCode = Annotated[
    str | None,
    Field(
        examples=["database_read_only"],
        description="The error code with which requests are rejected now; left out without a problem",
    ),
]


class HealthView(BaseModel):
    """Whether the database and the queue can be used; the one that cannot is `disconnected`."""

    status: Literal["healthy", "unhealthy"]
    timestamp: Timestamp
    database_status: Connection
    queue_status: Connection
    database_problem: ProblemCode = None
    queue_problem: ProblemCode = None
    paused: bool | None = Field(
        default=None, description="True while an administrator has paused the claims of a queue; otherwise left out"
    )


class ReadinessView(BaseModel):
    """Whether this process is ready: the database takes writes, its worker (if any) has a simulator, and it is not
    stopping."""

    status: Literal["ready", "not_ready"]
    missing: list[Literal["database", "queue", "simulators"]] = Field(description="The parts that do not work now")
    stopping: bool
    database_problem: ProblemCode = None
    queue_problem: ProblemCode = None
    simulator_problem: str | None = Field(default=None, description="Why no simulator could be started")


class LivenessView(BaseModel):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class VersionView(BaseModel):
    """The version that this process runs."""

    version: str = Field(description="The version of Ketline", examples=["0.1.0"])
    revision: str | None = Field(
        default=None, description="The commit that it was built from, where its builder said so", examples=["76cb73e"]
    )
