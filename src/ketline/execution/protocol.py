"""The messages between a runner and its simulator process: JSON only, because the process may have run hostile input.

The process sends `ready` once. The parent then sends one `Request` at a time, and the process replies to each with a
`Response`. Before that it may send one admission request for the whole machine; the parent replies `granted` or `busy`,
and on `busy` the process drops the request and sends no response.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

from ketline.domain.errors import (
    ExecutionFailed,
    InputMissing,
    MemoryLimitExceeded,
    ObservablesInvalid,
    ProgramInvalid,
    ProgramTooLarge,
    ProgramUnsupported,
    SimulationFailed,
    TimeLimitExceeded,
)
from ketline.domain.inspection import Drawing, Inspection
from ketline.domain.observables import observables_at
from ketline.domain.spec import Method, Observable, ProgramFormat, RunOptions, TaskSpec
from ketline.domain.sweep import number_of_points
from ketline.domain.task import FailureCode, Point, Profile, ProgramWarning, Register, RunResult, WarningCode
from ketline.execution.limits import ExecutionLimits

READY = b'"ready"'
GRANTED = b'"granted"'
BUSY = b'"busy"'

_ADMISSION_PREFIX = b'{"needed_bytes":'

_KEY = re.compile("[01]+(?: [01]+)*")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# A message may quote a name from the program, and names can be as long as programs.
_MAX_MESSAGE_CHARACTERS = 500
_LONGEST_NAME = 255
_MOST_WARNINGS = 100
_MOST_MISTAKES = 20

_FAILURES: Mapping[FailureCode, type[ExecutionFailed]] = {
    kind.failure_code: kind
    for kind in (
        ProgramInvalid,
        InputMissing,
        ProgramUnsupported,
        ProgramTooLarge,
        ObservablesInvalid,
        TimeLimitExceeded,
        MemoryLimitExceeded,
        SimulationFailed,
    )
}


class Command(StrEnum):
    """What a child does with the program of a request."""

    RUN = "run"
    INSPECT = "inspect"
    DRAW = "draw"


# The result of each command: counts, an inspection, or a drawing.
Outcome = RunResult | Inspection | str


@dataclass(frozen=True, slots=True)
class Request:
    """A command for one program. The response repeats its `token`, which shows that they belong together.

    A spec without a time limit runs under the limit of the process. `drawing` is the format of a drawing. The process
    gets only the fields of the spec that it needs to read and run the program; the others have their defaults there.
    """

    spec: TaskSpec
    token: str = ""
    command: Command = Command.RUN
    drawing: Drawing = Drawing.TEXT


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of a request. `retiring` says that the process ends after it and must be replaced."""

    outcome: Outcome | ExecutionFailed
    retiring: bool = False


def encode_limits(limits: ExecutionLimits) -> str:
    return json.dumps(
        {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in _items(limits)}
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
        "options": _members(spec.options),
        "time_limit_seconds": spec.time_limit_seconds,
        "token": request.token,
        "command": request.command,
        "drawing": request.drawing,
    }
    return json.dumps(message, default=_members).encode()


def decode_request(data: bytes) -> Request:
    message = json.loads(data)
    spec = TaskSpec(
        circuit=message["circuit"],
        shots=message["shots"],
        inputs=message["inputs"],
        options=_options(message["options"]),
        time_limit_seconds=message["time_limit_seconds"],
    )
    return Request(spec, message["token"], Command(message["command"]), Drawing(message["drawing"]))


def _options(data: dict[str, Any]) -> RunOptions:
    return RunOptions(
        seed=data["seed"],
        method=Method(data["method"]),
        memory=data["memory"],
        format=ProgramFormat(data["format"]),
        observables=tuple(data["observables"]),
    )


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
    message = _outcome_fields(response.outcome) | {"retiring": response.retiring, "token": request.token}
    if request.command is Command.INSPECT and isinstance(response.outcome, ExecutionFailed):
        message["others"] = [asdict(other.failure) for other in response.outcome.others]
    # Without spaces: the limit on the size of a result assumes that.
    return json.dumps(message, separators=(",", ":"), default=_members).encode()


def _outcome_fields(outcome: Outcome | ExecutionFailed) -> dict[str, object]:
    match outcome:
        case ExecutionFailed():
            return {"failure": asdict(outcome.failure)}
        case RunResult():
            return {"result": _members(outcome)}
        case Inspection():
            return {"inspection": asdict(outcome)}
        case str():
            return {"drawing": outcome}


def _members(value: Any) -> dict[str, object]:
    """The fields of a dataclass, not copied: `asdict` would copy each key of the counts, which takes longer."""
    return {entry.name: getattr(value, entry.name) for entry in fields(value)}


def decode_response(data: bytes, request: Request) -> Response:
    """Decode and check the response to a request.

    Raises:
        ValueError: it is not a response to this request.
    """
    try:
        message = json.loads(data)
        if message["token"] != request.token:  # guard: wire.token
            raise ValueError("a response to another request")
        outcome = _failure(message) if "failure" in message else _outcome(message, request)
        return Response(outcome, retiring=bool(message["retiring"]))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a response") from error


def _outcome(message: dict[str, Any], request: Request) -> Outcome:
    match request.command:
        case Command.RUN:
            return (_values if request.spec.options.observables else _result)(message["result"], request)
        case Command.INSPECT:
            return _inspection(message["inspection"])
        case Command.DRAW:
            drawing = message["drawing"]
            drawing.encode()  # raises on a lone surrogate, which no response could contain
            return str(drawing)


def _result(data: dict[str, Any], request: Request) -> RunResult:
    profile, points = _profile(data["profile"]), number_of_points(request.spec.inputs)
    if points is None:
        point = _point(data, request.spec.shots)
        return RunResult(counts=point.counts, shots=request.spec.shots, profile=profile, memory=point.memory)
    results = [_point(result, request.spec.shots) for result in data["points"]]
    if len(results) != points:
        raise ValueError(f"{len(results)} results of {points} points")
    return RunResult(counts={}, shots=request.spec.shots, profile=profile, points=results)


def _profile(data: dict[str, Any]) -> Profile:
    registers = data["registers"]
    if registers is not None:
        registers = tuple(Register(bits=int(one["bits"]), name=_name(one["name"])) for one in registers)
    return Profile(**data | {"registers": registers, "warnings": _warnings(data["warnings"])})


def _warnings(data: Sequence[Mapping[str, Any]]) -> tuple[ProgramWarning, ...]:
    if len(data) > _MOST_WARNINGS:
        raise ValueError(f"{len(data)} warnings")
    return tuple(ProgramWarning(code=WarningCode(one["code"]), message=_message(one), **_place(one)) for one in data)


def _message(data: Mapping[str, Any]) -> str:
    return _UNPRINTABLE.sub("?", str(data["message"]))[:_MAX_MESSAGE_CHARACTERS]


def _place(data: Mapping[str, Any]) -> Mapping[str, int | None]:
    return {name: None if data[name] is None else int(data[name]) for name in ("line", "column")}


def _name(data: object) -> str | None:
    """A register's name, or None if no request can contain it or no database can store it: QPY allows any name."""
    name = None if data is None else str(data)
    return None if name is None or len(name) > _LONGEST_NAME or _UNPRINTABLE.search(name) else name


def _point(data: dict[str, Any], shots: int) -> Point:
    counts = {str(key): int(count) for key, count in data["counts"].items()}
    if not all(map(_KEY.fullmatch, counts)):
        raise ValueError("not the keys of counts")
    if min(counts.values(), default=0) < 0 or sum(counts.values()) != shots:
        raise ValueError(f"the counts do not add up to {shots} shots")
    memory = data.get("memory")
    if memory is not None and Counter(memory) != counts:
        raise ValueError("the shots are not those of the counts")
    return Point(counts=counts, memory=memory)


def _values(data: dict[str, Any], request: Request) -> RunResult:
    points = number_of_points(request.spec.inputs)
    requested = observables_at(request.spec.options.observables, points or 1)
    found_values = data["expectation_values"]
    values = [
        _values_of(at_point, observables)
        for at_point, observables in zip([found_values] if points is None else found_values, requested, strict=True)
    ]
    profile = _profile(data["profile"])
    found = values[0] if points is None else values
    return RunResult(counts={}, shots=request.spec.shots, profile=profile, expectation_values=found)


def _values_of(data: Sequence[Any], observables: Sequence[Observable]) -> Sequence[float]:
    values = [float(value) for value in data]
    if len(values) != len(observables) or not all(map(math.isfinite, values)):
        raise ValueError("not an expectation value for each observable")
    return values


def _inspection(data: dict[str, Any]) -> Inspection:
    refusal = data["refusal"]
    known: dict[str, Any] = {
        "operations": {str(name): int(count) for name, count in data["operations"].items()},
        "method": None if data["method"] is None else Method(data["method"]),
        "refusal": None if refusal is None else _failed(refusal).failure,
        "warnings": _warnings(data["warnings"]),
    }
    known |= {name: int(data[name]) for name in ("qubits", "unused_qubits", "depth")}
    memory, seconds = data["memory_bytes"], data["estimated_seconds"]
    known["memory_bytes"] = None if memory is None else int(memory)
    known["estimated_seconds"] = None if seconds is None else float(seconds)
    inspection = Inspection(**data | known)
    if (inspection.method is None) is (inspection.refusal is None):
        raise ValueError("neither a method nor a refusal")
    return inspection


def _failure(data: dict[str, Any]) -> ExecutionFailed:
    """The failure of a request; that of an inspection contains all mistakes of the program."""
    error, others = _failed(data["failure"]), data.get("others", ())
    if len(others) >= _MOST_MISTAKES:
        raise ValueError(f"{len(others)} more mistakes")
    error.others = tuple(map(_failed, others))
    return error


def _failed(data: dict[str, Any]) -> ExecutionFailed:
    kind = _FAILURES[FailureCode(data["code"])]
    return kind(_message(data), **_place(data))


def _items(limits: ExecutionLimits) -> list[tuple[str, Any]]:
    return [(entry.name, getattr(limits, entry.name)) for entry in fields(limits)]
