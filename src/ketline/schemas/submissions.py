"""Requests that submit tasks, and their answers."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target, format_by_header
from ketline.domain.limits import HIGHEST_PRIORITY, LOWEST_PRIORITY, MAX_BATCH_TASKS
from ketline.domain.results.gradients import GradientMethod
from ketline.domain.results.observables import least_bound
from ketline.domain.results.outputs import OF_ONE_STATE, OutputType, gives_counts
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.priority import SECONDS_PER_POINT
from ketline.schemas.callbacks import CallbackText
from ketline.schemas.device_runs import DeviceOrName
from ketline.schemas.gradients import GradientRequest
from ketline.schemas.inputs import Inputs
from ketline.schemas.labels import Schedule, TaskMetadata, TaskName, TaskTags
from ketline.schemas.mitigation import MitigationRequest
from ketline.schemas.noise import Noise
from ketline.schemas.observables import Observables
from ketline.schemas.outputs import OutputRequests
from ketline.schemas.types import BELL, BackendId, OfferedMethod, ProgramText, QpyText, Timestamp

DEFAULT_SHOTS = 1024


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
            ge=LOWEST_PRIORITY,
            le=HIGHEST_PRIORITY,
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
    bitcode: Annotated[bool, Field(description="QIR as bitcode, encoded as base64, instead of text")] = False
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
