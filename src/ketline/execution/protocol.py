"""The messages between a runner and its simulator process: JSON only, since the process may have run hostile input.

The process sends `ready` once. The parent then sends one `Request` at a time, and the process answers each with a
`Response`. Before it answers it may ask once for the whole machine; the parent replies `granted` or `busy`, and on
`busy` the process drops the request and sends no response.
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

_REQUEST = b'{"needed_bytes":'

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
    """What a child is to do with a program."""

    RUN = "run"
    INSPECT = "inspect"
    DRAW = "draw"


# The result of each command: counts, an inspection, or a drawing.
Outcome = RunResult | Inspection | str


@dataclass(frozen=True, slots=True)
class Request:
    """A command for one program. Its `token` comes back with the response, so that no other can be taken for it.

    Without a time limit in the spec the limit of the process holds. `drawing` is the format of a drawing. The process
    gets the fields of the spec that it needs to read and run the program; the others have their defaults there.
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
    said = {
        "circuit": spec.circuit,
        "shots": spec.shots,
        "inputs": spec.inputs,
        "options": _members(spec.options),
        "time_limit_seconds": spec.time_limit_seconds,
        "token": request.token,
        "command": request.command,
        "drawing": request.drawing,
    }
    return json.dumps(said, default=_members).encode()


def decode_request(data: bytes) -> Request:
    said = json.loads(data)
    spec = TaskSpec(
        circuit=said["circuit"],
        shots=said["shots"],
        inputs=said["inputs"],
        options=_options(said["options"]),
        time_limit_seconds=said["time_limit_seconds"],
    )
    return Request(spec, said["token"], Command(said["command"]), Drawing(said["drawing"]))


def _options(said: dict[str, Any]) -> RunOptions:
    return RunOptions(
        seed=said["seed"],
        method=Method(said["method"]),
        memory=said["memory"],
        format=ProgramFormat(said["format"]),
        observables=tuple(said["observables"]),
    )


def encode_admission_request(needed_bytes: int, request: Request) -> bytes:
    """The message that asks for the whole machine, for a state of `needed_bytes`."""
    said = {"needed_bytes": needed_bytes, "token": request.token}
    return json.dumps(said, separators=(",", ":")).encode()


def is_admission_request(data: bytes) -> bool:
    """Whether a message asks for the whole machine; any other message is a response."""
    return data.startswith(_REQUEST)


def decode_admission_request(data: bytes, request: Request, limits: ExecutionLimits) -> int:
    """The number of bytes that an admission request asks for.

    Raises:
        ValueError: it does not belong to this request, or asks for more than the machine has.
    """
    try:
        said = json.loads(data)
        needed, token = said["needed_bytes"], said["token"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a request") from error
    if token != request.token or type(needed) is not int or not 0 < needed <= limits.memory_bytes:
        raise ValueError("not a request")
    return needed


def encode_response(answer: Response, request: Request) -> bytes:
    said = _said(answer.outcome) | {"retiring": answer.retiring, "token": request.token}
    if request.command is Command.INSPECT and isinstance(answer.outcome, ExecutionFailed):
        said["others"] = [asdict(other.failure) for other in answer.outcome.others]
    # Without blanks, as the sizes of results are counted.
    return json.dumps(said, separators=(",", ":"), default=_members).encode()


def _said(outcome: Outcome | ExecutionFailed) -> dict[str, object]:
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
    """A dataclass as it is: `asdict` would copy each key of the counts, which takes longer than to write them."""
    return {entry.name: getattr(value, entry.name) for entry in fields(value)}


def decode_response(data: bytes, request: Request) -> Response:
    """Read the response to a request.

    Raises:
        ValueError: it is not a response to this request.
    """
    try:
        said = json.loads(data)
        if said["token"] != request.token:  # guard: wire.token
            raise ValueError("an answer to another order")
        outcome = _failure(said) if "failure" in said else _outcome(said, request)
        return Response(outcome, retiring=bool(said["retiring"]))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not an answer") from error


def _outcome(said: dict[str, Any], request: Request) -> Outcome:
    match request.command:
        case Command.RUN:
            return (_values if request.spec.options.observables else _result)(said["result"], request)
        case Command.INSPECT:
            return _inspection(said["inspection"])
        case Command.DRAW:
            drawing = said["drawing"]
            drawing.encode()  # half a surrogate pair could not be sent on
            return str(drawing)


def _result(said: dict[str, Any], request: Request) -> RunResult:
    profile, points = _profile(said["profile"]), number_of_points(request.spec.inputs)
    if points is None:
        point = _point(said, request.spec.shots)
        return RunResult(counts=point.counts, shots=request.spec.shots, profile=profile, memory=point.memory)
    results = [_point(result, request.spec.shots) for result in said["points"]]
    if len(results) != points:
        raise ValueError(f"{len(results)} results of {points} points")
    return RunResult(counts={}, shots=request.spec.shots, profile=profile, points=results)


def _profile(said: dict[str, Any]) -> Profile:
    registers = said["registers"]
    if registers is not None:
        registers = tuple(Register(bits=int(one["bits"]), name=_name(one["name"])) for one in registers)
    return Profile(**said | {"registers": registers, "warnings": _warnings(said["warnings"])})


def _warnings(said: Sequence[Mapping[str, Any]]) -> tuple[ProgramWarning, ...]:
    if len(said) > _MOST_WARNINGS:
        raise ValueError(f"{len(said)} warnings")
    return tuple(ProgramWarning(code=WarningCode(one["code"]), message=_message(one), **_place(one)) for one in said)


def _message(said: Mapping[str, Any]) -> str:
    return _UNPRINTABLE.sub("?", str(said["message"]))[:_MAX_MESSAGE_CHARACTERS]


def _place(said: Mapping[str, Any]) -> Mapping[str, int | None]:
    return {name: None if said[name] is None else int(said[name]) for name in ("line", "column")}


def _name(said: object) -> str | None:
    """A register's name, or None if no request could contain it or no database could store it: QPY allows any name."""
    name = None if said is None else str(said)
    return None if name is None or len(name) > _LONGEST_NAME or _UNPRINTABLE.search(name) else name


def _point(said: dict[str, Any], shots: int) -> Point:
    counts = {str(key): int(count) for key, count in said["counts"].items()}
    if not all(map(_KEY.fullmatch, counts)):
        raise ValueError("not the keys of counts")
    if min(counts.values(), default=0) < 0 or sum(counts.values()) != shots:
        raise ValueError(f"the counts do not add up to {shots} shots")
    memory = said.get("memory")
    if memory is not None and Counter(memory) != counts:
        raise ValueError("the shots are not those of the counts")
    return Point(counts=counts, memory=memory)


def _values(said: dict[str, Any], request: Request) -> RunResult:
    points = number_of_points(request.spec.inputs)
    asked = observables_at(request.spec.options.observables, points or 1)
    answered = said["expectation_values"]
    values = [
        _values_of(at_point, observables)
        for at_point, observables in zip([answered] if points is None else answered, asked, strict=True)
    ]
    profile = _profile(said["profile"])
    found = values[0] if points is None else values
    return RunResult(counts={}, shots=request.spec.shots, profile=profile, expectation_values=found)


def _values_of(said: Sequence[Any], observables: Sequence[Observable]) -> Sequence[float]:
    values = [float(value) for value in said]
    if len(values) != len(observables) or not all(map(math.isfinite, values)):
        raise ValueError("not an expectation value for each observable")
    return values


def _inspection(said: dict[str, Any]) -> Inspection:
    refusal = said["refusal"]
    known: dict[str, Any] = {
        "operations": {str(name): int(count) for name, count in said["operations"].items()},
        "method": None if said["method"] is None else Method(said["method"]),
        "refusal": None if refusal is None else _failed(refusal).failure,
        "warnings": _warnings(said["warnings"]),
    }
    known |= {name: int(said[name]) for name in ("qubits", "unused_qubits", "depth")}
    memory, seconds = said["memory_bytes"], said["estimated_seconds"]
    known["memory_bytes"] = None if memory is None else int(memory)
    known["estimated_seconds"] = None if seconds is None else float(seconds)
    inspection = Inspection(**said | known)
    if (inspection.method is None) is (inspection.refusal is None):
        raise ValueError("neither a method nor a refusal")
    return inspection


def _failure(said: dict[str, Any]) -> ExecutionFailed:
    """The failure of a request; that of an inspection holds all mistakes of the program."""
    error, others = _failed(said["failure"]), said.get("others", ())
    if len(others) >= _MOST_MISTAKES:
        raise ValueError(f"{len(others)} more mistakes")
    error.others = tuple(map(_failed, others))
    return error


def _failed(said: dict[str, Any]) -> ExecutionFailed:
    kind = _FAILURES[FailureCode(said["code"])]
    return kind(_message(said), **_place(said))


def _items(limits: ExecutionLimits) -> list[tuple[str, Any]]:
    return [(entry.name, getattr(limits, entry.name)) for entry in fields(limits)]
