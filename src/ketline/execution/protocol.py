"""The messages between a runner and its simulator process: JSON only, because the process may have run hostile input.

The process sends `ready` once, with a digest of the code that both must share. The parent then sends one `Request` at a
time, and the process replies to each with a `Response`. Before that it may send one admission request for the whole
machine; the parent replies `granted` or `busy`, and on `busy` the process drops the request and sends no response.
"""

import json
import math
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.devices.device_run import DeviceRun, Placement
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.errors import (
    DeviceMismatch,
    ExecutionFailed,
    GradientInvalid,
    InputMissing,
    MemoryLimitExceeded,
    NoiseInvalid,
    ObservablesInvalid,
    OutputsInvalid,
    ProgramInvalid,
    ProgramTooLarge,
    ProgramUnsupported,
    QubitQuotaExceeded,
    SimulationFailed,
    TimeLimitExceeded,
)
from ketline.domain.failures import FailureCode
from ketline.domain.limits import MAX_DEVICE_QUBITS
from ketline.domain.results.counts import EncodedCounts
from ketline.domain.results.gradients import Gradients, requested_gradient
from ketline.domain.results.mitigation import mitigation_of
from ketline.domain.results.observable import ExpectationValues, Observable
from ketline.domain.results.observables import observables_at
from ketline.domain.results.outputs import gives_counts, requested_output, states_of
from ketline.domain.results.result import (
    Conversion,
    MediaType,
    Point,
    Profile,
    ProgramWarning,
    Register,
    RunResult,
    WarningCode,
)
from ketline.domain.tasks.inspection import Drawing, Inspection
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.sweep import first_point, number_of_points, points_of
from ketline.execution.checked_gradients import checked_gradients
from ketline.execution.checked_mitigation import checked_correction, checked_mitigation
from ketline.execution.checked_outputs import checked_outputs
from ketline.execution.encoded_counts import checked_counts, end_of_counts
from ketline.execution.limits import ExecutionLimits


def _fingerprint() -> str:
    """A digest of the code that both ends of the channel must share: the values, and this protocol."""
    package = Path(__file__).parents[1]
    paths = [*(package / "execution").glob("*.py"), *(package / "domain").rglob("*.py")]
    return sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:16]


# The parent compares the whole message with its own: where the package is replaced below a running worker, its next
# child is of another version.
READY = f'"ready {_fingerprint()}"'.encode()
GRANTED = b'"granted"'
BUSY = b'"busy"'

_ADMISSION_PREFIX = b'{"needed_bytes":'
_COUNTS_PREFIX = b'{"counts":'

# The keys of counts, with a comma after each.
_COUNTS_KEYS = re.compile("(?:[01]++(?: [01]++)*+,)*+")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# A message may quote a name from the program, and names can be as long as programs.
_MAX_MESSAGE_CHARACTERS = 500
_MAX_NAME_CHARACTERS = 255
_MAX_WARNINGS = 100
_MAX_MISTAKES = 20
# The numbers of a profile that the statements of usage add up.
_MEASURES = ("parsing_seconds", "simulating_seconds", "processor_seconds", "memory_bytes")
_MOST_MEASURED = 2.0**53

_FAILURES: Mapping[FailureCode, type[ExecutionFailed]] = {
    kind.failure_code: kind
    for kind in (
        ProgramInvalid,
        InputMissing,
        ProgramUnsupported,
        ProgramTooLarge,
        QubitQuotaExceeded,
        ObservablesInvalid,
        GradientInvalid,
        NoiseInvalid,
        OutputsInvalid,
        DeviceMismatch,
        TimeLimitExceeded,
        MemoryLimitExceeded,
        SimulationFailed,
    )
}


class Command(StrEnum):
    """The work that a child does with the program of a request."""

    RUN = "run"
    CONVERT = "convert"
    INSPECT = "inspect"
    DRAW = "draw"


# The result of each command: counts, an inspection, or a drawing.
CommandResult = RunResult | Inspection | str


@dataclass(frozen=True, slots=True)
class Request:
    """A command for one program. The response repeats its `token`, which shows that they belong together.

    A spec without a time limit runs under the limit of the process. `drawing` is the format of a drawing. The process
    gets only the fields of the spec that it needs to read and run the program; the others have their defaults there.
    Programs of another `project` share no caches with it.
    """

    spec: TaskSpec
    token: str = ""
    command: Command = Command.RUN
    drawing: Drawing = Drawing.TEXT
    project: ProjectName = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of a request. `retiring` says that the process ends after it and must be replaced."""

    outcome: CommandResult | ExecutionFailed
    retiring: bool = False


def encode_limits(limits: ExecutionLimits) -> str:
    return json.dumps(
        {
            name: value.total_seconds() if isinstance(value, timedelta) else value
            for name, value in _fields_of(limits).items()
        }
    )


def decode_limits(text: str) -> ExecutionLimits:
    values = json.loads(text)
    times = {name: timedelta(seconds=values[name]) for name in values if name.endswith("time_limit")}
    return ExecutionLimits(**(values | times))


def encode_request(request: Request) -> bytes:
    spec = request.spec
    message = {
        "circuit": spec.circuit,
        "shots": spec.shots,
        "inputs": spec.inputs,
        "options": _fields_of(spec.options),
        "time_limit_seconds": spec.time_limit_seconds,
        "kind": spec.kind,
        "target": spec.target,
        "profile": spec.profile,
        "bitcode": spec.bitcode,
        "max_qubits": spec.max_qubits,
        "token": request.token,
        "command": request.command,
        "drawing": request.drawing,
        "project": request.project,
    }
    return json.dumps(message, default=_fields_of).encode()


def decode_request(data: bytes) -> Request:
    message = json.loads(data)
    spec = TaskSpec(
        circuit=message["circuit"],
        shots=message["shots"],
        inputs=message["inputs"],
        options=_decode_options(message["options"]),
        time_limit_seconds=message["time_limit_seconds"],
        kind=TaskKind(message["kind"]),
        target=None if message["target"] is None else Target(message["target"]),
        profile=None if message["profile"] is None else QirProfile(message["profile"]),
        bitcode=message["bitcode"],
        max_qubits=message["max_qubits"],
    )
    return Request(
        spec,
        message["token"],
        Command(message["command"]),
        Drawing(message["drawing"]),
        ProjectName(message["project"]),
    )


def _decode_options(data: dict[str, Any]) -> RunOptions:
    return RunOptions(
        seed=data["seed"],
        method=Method(data["method"]),
        memory=data["memory"],
        format=ProgramFormat(data["format"]),
        observables=tuple(data["observables"]),
        noise=_decode_noise(data["noise"]),
        outputs=tuple(map(requested_output, data["outputs"])),
        sampled=data["sampled"],
        precision=data["precision"],
        mitigation=mitigation_of(data["mitigation"]),
        gradient=requested_gradient(data["gradient"]),
        device=None if data["device"] is None else _decode_device(data["device"]),
    )


def _decode_noise(data: Any) -> Any:
    """A stored model has its digest and its text, and no other noise has."""
    if isinstance(data, dict) and data.keys() == {"digest", "text"}:
        return StoredNoise(**data)
    return data


def _decode_device(data: dict[str, Any]) -> DeviceRun:
    layout = data["initial_layout"]
    return DeviceRun(**data | {"initial_layout": None if layout is None else tuple(layout)})


def encode_admission_request(needed_bytes: int, request: Request) -> bytes:
    """Encode a request for the whole machine, for a state of `needed_bytes`."""
    message = {"needed_bytes": needed_bytes, "token": request.token}
    return json.dumps(message, separators=(",", ":")).encode()


def is_admission_request(data: bytes) -> bool:
    """Whether a message is an admission request; any other message is a response."""
    return data.startswith(_ADMISSION_PREFIX)


def decode_admission_request(data: bytes, request: Request, limits: ExecutionLimits) -> int:
    """Return the number of bytes that an admission request needs.

    Raises:
        ValueError: it does not belong to this request, or needs more than the machine has.
    """
    try:
        message = json.loads(data)
        needed, token = message["needed_bytes"], message["token"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not an admission request for this program") from error
    if token != request.token or type(needed) is not int or not 0 < needed <= limits.memory_bytes:
        raise ValueError("not an admission request for this program")
    return needed


def encode_response(response: Response, request: Request) -> bytes:
    outcome = response.outcome
    message = _encoded_outcome(outcome) | {"retiring": response.retiring, "token": request.token}
    if request.command is Command.INSPECT and isinstance(outcome, ExecutionFailed):
        message["others"] = [asdict(other.failure) for other in outcome.others]
    if isinstance(outcome, RunResult) and _is_single_run(request) and outcome.counts:
        # First, where the parent finds them without decoding the message.
        message = {"counts": outcome.counts} | message
        message["result"] = {"profile": outcome.profile}
    return _ENCODER.encode(message).encode()


def _encoded_outcome(outcome: CommandResult | ExecutionFailed) -> dict[str, object]:
    match outcome:
        case ExecutionFailed():
            return {"failure": asdict(outcome.failure)}
        case RunResult():
            return {"result": _fields_of(outcome)}
        case Inspection():
            return {"inspection": asdict(outcome)}
        case str():
            return {"drawing": outcome}


def _fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, not copied: `asdict` would copy each key of the counts, which takes longer."""
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _field_names(kind)}


@cache
def _field_names(kind: Any) -> Sequence[str]:
    return [entry.name for entry in fields(kind)]


# Without spaces: the limit on the size of a result assumes that.
_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_fields_of)


def decode_response(data: bytes, request: Request) -> Response:
    """Decode and check the response to a request.

    Raises:
        ValueError: it is not a response to this request.
    """
    try:
        counts, rest = _split_counts(data, request)
        message = json.loads(rest)
        if message["token"] != request.token:  # guard: wire.token
            raise ValueError("a response to another request")
        outcome = _decode_failure(message) if "failure" in message else _decode_result(message, request, counts)
        return Response(outcome, retiring=bool(message["retiring"]))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a response") from error


def _split_counts(data: bytes, request: Request) -> tuple[EncodedCounts | None, bytes]:
    """The counts with which the response to a single run begins, and the rest of it as JSON."""
    if not data.startswith(_COUNTS_PREFIX):
        return None, data
    start = len(_COUNTS_PREFIX)
    end = end_of_counts(data, start)
    if end is None or not _is_single_run(request):
        raise ValueError("not a response")
    return checked_counts(data[start:end], request.spec.shots), b"{" + data[end:].removeprefix(b",")


def _is_single_run(request: Request) -> bool:
    """Whether the result is the counts of one run, without its shots."""
    options = request.spec.options
    wants_more = bool(options.observables or options.outputs or options.memory or options.mitigation)
    return request.command is Command.RUN and not wants_more and number_of_points(request.spec.inputs) is None


def _decode_result(message: dict[str, Any], request: Request, counts: EncodedCounts | None) -> CommandResult:
    if counts is not None:
        profile = _decode_profile(message["result"]["profile"])
        return RunResult(counts=counts, shots=request.spec.shots, profile=profile)
    match request.command:
        case Command.RUN:
            return (_decode_expectation_values if request.spec.options.observables else _decode_counts)(
                message["result"], request
            )
        case Command.CONVERT:
            return _decode_conversion(message["result"])
        case Command.INSPECT:
            return _decode_inspection(message["inspection"])
        case Command.DRAW:
            drawing = message["drawing"]
            drawing.encode()  # raises on a lone surrogate, which no response could contain
            return str(drawing)


def _decode_conversion(data: dict[str, Any]) -> RunResult:
    found = data["conversion"]
    content, media_type, binary = str(found["content"]), MediaType(found["media_type"]), bool(found["base64"])
    if binary:
        b64decode(content, validate=True)
    else:
        content.encode()  # raises on a lone surrogate
        if "\x00" in content:
            raise ValueError("a NUL character in text")
    conversion = Conversion(content, media_type=media_type, base64=binary)
    return RunResult(counts={}, shots=0, profile=_decode_profile(data["profile"]), conversion=conversion)


def _decode_counts(data: dict[str, Any], request: Request) -> RunResult:
    profile, points = _decode_profile(data["profile"]), number_of_points(request.spec.inputs)
    shots = request.spec.shots
    if points is None:
        point = _decode_point(data, request)
        return RunResult(
            counts=point.counts,
            shots=shots,
            profile=profile,
            memory=point.memory,
            mitigation=checked_correction(data.get("mitigation"), request.spec, [point]),
            outputs=point.outputs,
        )
    results = [_decode_point(result, request) for result in data["points"]]
    if len(results) != points:
        raise ValueError(f"{len(results)} results of {points} points")
    mitigation = checked_correction(data["mitigation"], request.spec, results)
    return RunResult(counts={}, shots=shots, profile=profile, points=results, mitigation=mitigation)


def _decode_profile(data: dict[str, Any]) -> Profile:
    registers = data["registers"]
    if registers is not None:
        registers = tuple(Register(bits=int(one["bits"]), name=_decode_register_name(one["name"])) for one in registers)
    measures = {name: _decode_measure(data[name]) for name in _MEASURES}
    known = {"registers": registers, "warnings": _decode_warnings(data["warnings"])}
    return Profile(**data | measures | known | {"placement": _decode_placement(data.get("placement"))})


def _decode_placement(data: Mapping[str, Any] | None) -> Placement | None:
    if data is None:
        return None
    known: dict[str, Any] = {name: _decode_text(data[name]) for name in ("device", "digest")}
    known |= {name: _decode_layout(data[name]) for name in ("layout", "final_layout")}
    known |= {name: int(data[name]) for name in ("optimization_level", "depth", "two_qubit_gates")}
    return Placement(**known)


def _decode_text(value: object) -> str:
    return _UNPRINTABLE.sub("?", str(value))[:_MAX_NAME_CHARACTERS]


def _decode_layout(data: Sequence[Any]) -> Sequence[int]:
    if len(data) > MAX_DEVICE_QUBITS:
        raise ValueError(f"a layout of {len(data)} qubits")
    return [int(qubit) for qubit in data]


def _decode_measure(value: float | None) -> float | None:
    """Seconds or bytes that can be added to those of other tasks; None if they were not measured."""
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= _MOST_MEASURED:  # guard: wire.measures
        raise ValueError("not a number of seconds or bytes")
    return value


def _decode_warnings(data: Sequence[Mapping[str, Any]]) -> tuple[ProgramWarning, ...]:
    if len(data) > _MAX_WARNINGS:
        raise ValueError(f"{len(data)} warnings")
    return tuple(
        ProgramWarning(code=WarningCode(one["code"]), message=_decode_message(one), **_decode_position(one))
        for one in data
    )


def _decode_message(data: Mapping[str, Any]) -> str:
    return _UNPRINTABLE.sub("?", str(data["message"]))[:_MAX_MESSAGE_CHARACTERS]


def _decode_position(data: Mapping[str, Any]) -> Mapping[str, int | None]:
    return {name: None if data[name] is None else int(data[name]) for name in ("line", "column")}


def _decode_register_name(data: object) -> str | None:
    """A register's name, or None if no request can contain it or no database can store it: QPY allows any name."""
    name = None if data is None else str(data)
    return None if name is None or len(name) > _MAX_NAME_CHARACTERS or _UNPRINTABLE.search(name) else name


def _decode_point(data: dict[str, Any], request: Request) -> Point:
    counts, requested = _decode_keyed_counts(data["counts"]), request.spec.options.outputs
    shots = request.spec.shots if gives_counts(requested) else 0
    if min(counts.values(), default=0) < 0 or sum(counts.values()) != shots:
        raise ValueError(f"the counts do not add up to {shots} shots")
    memory = data.get("memory")
    if memory is not None and Counter(memory) != counts:
        raise ValueError("the shots are not those of the counts")
    outputs = checked_outputs(data["outputs"], states_of(requested)) if requested else None
    return Point(counts=counts, memory=memory, outputs=outputs)


def _decode_keyed_counts(data: Any) -> dict[str, int]:
    """Counts by key; there can be many, so that all keys are checked at once."""
    if not isinstance(data, dict):
        raise ValueError("not counts")  # noqa: TRY004 - callers handle one error for all that is not a response
    counts: dict[str, int] = data
    if not {int}.issuperset(map(type, counts.values())):
        raise ValueError("a count is not an integer")
    keys = "".join([f"{key}," for key in counts])
    if keys.count(",") != len(counts) or not _COUNTS_KEYS.fullmatch(keys):
        raise ValueError("not the keys of counts")
    return counts


def _decode_expectation_values(data: dict[str, Any], request: Request) -> RunResult:
    points = number_of_points(request.spec.inputs)
    requested = observables_at(request.spec.options.observables, points or 1)
    values, errors = (
        None if data[name] is None else _decode_at_points(data[name], requested, swept=points is not None)
        for name in ("expectation_values", "standard_errors")
    )
    if values is None or (errors is None) is request.spec.options.sampled:
        raise ValueError("not the values of observables")
    return RunResult(
        counts={},
        shots=request.spec.shots,
        profile=_decode_profile(data["profile"]),
        expectation_values=values,
        standard_errors=errors,
        mitigation=checked_mitigation(data["mitigation"], request.spec),
        gradients=_decode_derivatives(data, "gradients", request),
        gradient_standard_errors=_decode_derivatives(data, "gradient_standard_errors", request)
        if request.spec.options.sampled
        else None,
    )


def _decode_at_points(
    data: Sequence[Any], requested: Sequence[Sequence[Observable]], *, swept: bool
) -> ExpectationValues:
    values = [
        _decode_values(at_point, observables)
        for at_point, observables in zip(data if swept else [data], requested, strict=True)
    ]
    return values if swept else values[0]


def _decode_derivatives(data: dict[str, Any], name: str, request: Request) -> Gradients | None:
    return _decode_gradients(data[name], request) if request.spec.options.gradient else None


def _decode_gradients(data: Any, request: Request) -> Gradients:
    """The gradients of each point, or those of a task that is no sweep."""
    inputs, points = request.spec.inputs, number_of_points(request.spec.inputs)
    requested = observables_at(request.spec.options.observables, points or 1)
    each = [first_point(inputs)] if points is None else points_of(inputs)
    found = [
        checked_gradients(at_point, values, len(observables))
        for at_point, values, observables in zip([data] if points is None else data, each, requested, strict=True)
    ]
    return found[0] if points is None else found


def _decode_values(data: Sequence[Any], observables: Sequence[Observable]) -> Sequence[float]:
    values = [float(value) for value in data]
    if len(values) != len(observables) or not all(map(math.isfinite, values)):
        raise ValueError("not an expectation value for each observable")
    return values


def _decode_inspection(data: dict[str, Any]) -> Inspection:
    failure = data["failure"]
    known: dict[str, Any] = {
        "operations": {str(name): int(count) for name, count in data["operations"].items()},
        "method": None if data["method"] is None else Method(data["method"]),
        "failure": None if failure is None else _decode_error(failure).failure,
        "warnings": _decode_warnings(data["warnings"]),
        "placement": _decode_placement(data.get("placement")),
    }
    known |= {name: int(data[name]) for name in ("qubits", "unused_qubits", "depth")}
    memory, seconds = data["memory_bytes"], data["estimated_seconds"]
    known["memory_bytes"] = None if memory is None else int(memory)
    known["estimated_seconds"] = None if seconds is None else float(seconds)
    inspection = Inspection(**data | known)
    if (inspection.method is None) is (inspection.failure is None):
        raise ValueError("not either a method or a failure")
    return inspection


def _decode_failure(data: dict[str, Any]) -> ExecutionFailed:
    """The failure of a request; that of an inspection contains all mistakes of the program."""
    error, others = _decode_error(data["failure"]), data.get("others", ())
    if len(others) >= _MAX_MISTAKES:
        raise ValueError(f"{len(others)} more mistakes")
    error.others = tuple(map(_decode_error, others))
    return error


def _decode_error(data: dict[str, Any]) -> ExecutionFailed:
    kind = _FAILURES[FailureCode(data["code"])]
    return kind(_decode_message(data), **_decode_position(data))
