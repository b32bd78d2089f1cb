"""The spec of a task: one value that is passed whole from the request to the simulator."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ketline.domain.device_run import DeviceRun
from ketline.domain.gradients import Gradient
from ketline.domain.labels import Labels
from ketline.domain.mitigation import Mitigation
from ketline.domain.outputs import RequestedOutput
from ketline.domain.stored_noise import StoredNoise


class Method(StrEnum):
    """The simulation methods: Aer's by their names, and `stim`, that library's sampler.

    Stored tasks may name the extended stabilizer; it is no longer offered, see `ketline.domain.backend.METHODS`.
    """

    AUTOMATIC = "automatic"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"
    STABILIZER = "stabilizer"
    EXTENDED_STABILIZER = "extended_stabilizer"
    MATRIX_PRODUCT_STATE = "matrix_product_state"
    STIM = "stim"


class TaskKind(StrEnum):
    """The use of the program: it is simulated, converted to another format, or run on another backend."""

    SIMULATE = "simulate"
    CONVERT = "convert"
    RUN = "run"


class Target(StrEnum):
    """The formats to which a task of kind `convert` can convert a program."""

    OPENQASM3 = "openqasm3"
    OPENQASM2 = "openqasm2"
    QPY = "qpy"
    QIR = "qir"


class QirProfile(StrEnum):
    """The profiles of QIR: `base` has all measurements at the end, `adaptive` may act on their outcomes."""

    BASE = "base"
    ADAPTIVE = "adaptive"


class ProgramFormat(StrEnum):
    """The format of a program; QPY is stored as base64 text."""

    OPENQASM3 = "openqasm3"
    OPENQASM2 = "openqasm2"
    QPY = "qpy"


# Blanks and comments, a byte order mark first, and a header of version 2; possessive, so that it takes linear time.
_OPENQASM2 = re.compile(r"\ufeff?+(?:\s|//[^\r\n]*+|/\*.*?\*/)*+OPENQASM\s++0*+2(?![0-9])", re.DOTALL)
# "QISKIT", with which each QPY file begins, in base64.
_QPY = re.compile(r"UUlTS0lU[A-Za-z0-9+/=\s]*+")


def format_by_header(program: str) -> ProgramFormat:
    """Detect the format of a program by its first bytes; OpenQASM 3 if these do not decide."""
    if _OPENQASM2.match(program):
        return ProgramFormat.OPENQASM2
    return ProgramFormat.QPY if _QPY.fullmatch(program) else ProgramFormat.OPENQASM3


# A sum of Pauli operators: coefficients by label, whose rightmost letter belongs to qubit 0.
Observable = Mapping[str, float]
# A model of noise, by its name with parameters or as {"model": …}, or several of them; see specs/noise.md.
NoiseLayer = Mapping[str, object]
Noise = NoiseLayer | Sequence[NoiseLayer] | StoredNoise
# The observables of a task, the same at each point of a sweep or a list for each point; and their values, likewise.
Observables = Sequence[Observable] | Sequence[Sequence[Observable]]
ExpectationValues = Sequence[float] | Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options with which a program is read and run.

    The same `seed`, program, shots and versions give the same counts; without a seed each run gives others. With
    `memory` the result has every shot's outcome, in order. With `observables` it has their expectation values and no
    counts, with `gradient` also their derivatives by inputs. With `noise` gates and measurements have errors. With
    `outputs` it has these, and counts only if they are among them. With `device` it is transpiled for a device, and may
    have its errors.

    Expectation values are exact, or with `sampled` estimates: from the task's shots in each basis, or with a
    `precision`, the standard error that is aimed at, from as many as that needs, at most the task's shots. With
    `mitigation` they are corrected for errors.
    """

    seed: int | None = None
    method: Method = Method.AUTOMATIC
    memory: bool = False
    format: ProgramFormat = ProgramFormat.OPENQASM3
    observables: Observables = ()
    noise: Noise | None = None
    outputs: Sequence[RequestedOutput] = ()
    gradient: Gradient | None = None
    device: DeviceRun | None = None
    sampled: bool = False
    precision: float | None = None
    mitigation: Mitigation | None = None


# The value of an array, its elements row by row: {"array": [[1, 2], [3, 4]]}. A list alone makes a sweep.
ArrayValue = Mapping[str, Sequence[object]]
# A value of an `input` declaration; a string gives bits, bit 0 rightmost.
InputValue = bool | int | float | str | ArrayValue
# The values of a program's `input` declarations by name; with a sequence of them the task is a sweep, see `sweep.py`.
Inputs = Mapping[str, InputValue | Sequence[InputValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """The work of a task. It is built once, where a request is read, and then passed and read back whole.

    `circuit` is the program: OpenQASM text, or QPY as base64, as `options.format` says. Without `time_limit_seconds`
    the worker's own limit applies, and without `max_attempts` the service's. The task does not run before
    `scheduled_for`, by the database's clock; a time in the past has no effect. `priority` is from -100 to 100, see
    `priority.py`. With `hold` the task does not run before it is released. When it has ended, that is delivered to the
    URL `callback`. `max_qubits` is the quota that was valid at
    the submission, which sets it; clients cannot.

    A task of kind `convert` has a `target`, and no use for `shots`; for QIR, `profile` is the profile, the simplest one
    that can hold the program if it is None, and with `bitcode` the output is bitcode in place of text. A task of kind
    `run` has the name of a `backend`.
    """

    circuit: str
    shots: int
    inputs: Inputs = field(default_factory=dict)
    options: RunOptions = RunOptions()
    time_limit_seconds: float | None = None
    max_attempts: int | None = None
    labels: Labels = field(default_factory=Labels)
    scheduled_for: datetime | None = None
    priority: int = 0
    hold: bool = False
    kind: TaskKind = TaskKind.SIMULATE
    target: Target | None = None
    profile: QirProfile | None = None
    bitcode: bool = False
    backend: str | None = None
    max_qubits: int | None = None
    callback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecField:
    """A row of `SPEC_FIELDS`: one field of a `TaskSpec`, for all code that handles fields one by one.

    `name` is its name in the body of a submission and `option` that of the client's option, if these have it; `column`
    is that of its column. `stored` gives its value as the column holds it, with None for one that is empty, and
    `digested` its value as fingerprints of submissions hold it. A fingerprint leaves out what is empty.
    """

    name: str
    stored: Callable[[TaskSpec], object]
    column: str
    option: str
    digested: Callable[[TaskSpec], object]


def _field(
    name: str,
    stored: Callable[[TaskSpec], object],
    *,
    column: str | None = None,
    option: str | None = None,
    digested: Callable[[TaskSpec], object] | None = None,
) -> SpecField:
    return SpecField(
        name=name, stored=stored, column=column or name, option=option or name, digested=digested or stored
    )


# The order is that of fingerprints, which must not change for stored keys.
SPEC_FIELDS: Sequence[SpecField] = (
    _field("qc", lambda spec: spec.circuit, column="circuit", option="program"),
    _field("shots", lambda spec: spec.shots),
    _field(
        "timeout_s",
        lambda spec: spec.time_limit_seconds,
        column="time_limit_seconds",
        option="time_limit_seconds",
    ),
    _field("max_attempts", lambda spec: spec.max_attempts),
    _field("seed", lambda spec: spec.options.seed, digested=lambda spec: _text(spec.options.seed)),
    _field(
        "method",
        lambda spec: spec.options.method.value,
        digested=lambda spec: _unless(spec.options.method, Method.AUTOMATIC),
    ),
    _field("memory", lambda spec: spec.options.memory),
    _field(
        "format",
        lambda spec: spec.options.format.value,
        column="program_format",
        option="program_format",
        digested=lambda spec: _explicit_format(spec),
    ),
    _field(
        "observables",
        lambda spec: list(spec.options.observables) or None,
        digested=lambda spec: _sorted_json(spec.options.observables),
    ),
    _field("inputs", lambda spec: dict(spec.inputs) or None, digested=lambda spec: sorted(spec.inputs.items())),
    _field("name", lambda spec: spec.labels.name),
    _field("tags", lambda spec: list(spec.labels.tags) or None),
    _field(
        "metadata",
        lambda spec: dict(spec.labels.metadata) or None,
        digested=lambda spec: _sorted_json(spec.labels.metadata),
    ),
    _field(
        "scheduled_for",
        lambda spec: spec.scheduled_for,
        digested=lambda spec: spec.scheduled_for and spec.scheduled_for.isoformat(),
    ),
    _field("priority", lambda spec: spec.priority),
    _field("hold", lambda spec: spec.hold),
    _field("kind", lambda spec: spec.kind.value, digested=lambda spec: _unless(spec.kind, TaskKind.SIMULATE)),
    _field("target", lambda spec: spec.target and spec.target.value),
    _field("profile", lambda spec: spec.profile and spec.profile.value, column="qir_profile"),
    _field("bitcode", lambda spec: spec.bitcode),
    _field("backend", lambda spec: spec.backend),
    _field("max_qubits", lambda spec: spec.max_qubits),
    _field(
        "noise",
        lambda spec: _noise_column(spec.options.noise),
        digested=lambda spec: _sorted_json(_noise_column(spec.options.noise)),
    ),
    _field(
        "outputs",
        lambda spec: [dict(one.as_json()) for one in spec.options.outputs] or None,
        digested=lambda spec: _sorted_json([one.as_json() for one in spec.options.outputs]),
    ),
    _field(
        "gradient",
        lambda spec: spec.options.gradient and dict(spec.options.gradient.as_json()),
        digested=lambda spec: _sorted_json(spec.options.gradient.as_json() if spec.options.gradient else None),
    ),
    _field(
        "device",
        lambda spec: None if spec.options.device is None else spec.options.device.as_stored(),
        # Not what the device is: a repeated submission is the same one, also when the device has changed meanwhile.
        digested=lambda spec: None if spec.options.device is None else _sorted_json(spec.options.device.as_requested()),
    ),
    _field("sampled", lambda spec: spec.options.sampled),
    _field("precision", lambda spec: spec.options.precision),
    _field(
        "mitigation",
        lambda spec: spec.options.mitigation and dict(spec.options.mitigation.as_json()),
        digested=lambda spec: _sorted_json(spec.options.mitigation.as_json() if spec.options.mitigation else None),
    ),
    _field("callback", lambda spec: spec.callback),
)
# Every fingerprint has these fields by position: fingerprints are older than the other fields.
_UNNAMED = 4


def digest_of(spec: TaskSpec) -> list[object]:
    """The JSON values of which the fingerprint of a submission is computed; they differ if two submissions do."""
    named = ((one.name, one.digested(spec)) for one in SPEC_FIELDS[_UNNAMED:])
    return [*(one.digested(spec) for one in SPEC_FIELDS[:_UNNAMED]), *(pair for pair in named if pair[1])]


def _noise_column(noise: Noise | None) -> NoiseLayer | Sequence[NoiseLayer] | None:
    return noise.as_json() if isinstance(noise, StoredNoise) else noise


def _explicit_format(spec: TaskSpec) -> str | None:
    """The format, unless the text implies it; older digests, from before the format of version 2, have none."""
    written = spec.options.format
    is_explicit = written is ProgramFormat.QPY or written is not format_by_header(spec.circuit)
    return written.value if is_explicit else None


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _unless(value: StrEnum, default: StrEnum) -> str | None:
    return None if value is default else value.value


def _sorted_json(value: Mapping[str, object] | Sequence[object] | None) -> str | None:
    return json.dumps(value, sort_keys=True) if value else None
