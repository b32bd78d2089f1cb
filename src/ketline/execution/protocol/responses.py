"""The response of a simulator process to a request: a result, an inspection, a drawing or a failure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ketline.domain.circuits.method import Method
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
from ketline.domain.results.counts import EncodedCounts
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.sweep import number_of_points
from ketline.execution.encoded_counts import checked_counts, end_of_counts
from ketline.execution.protocol.fields import fields_of
from ketline.execution.protocol.profiles import (
    decode_message,
    decode_placement,
    decode_position,
    decode_profile,
    decode_warnings,
)
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.results import decode_conversion, decode_counts, decode_expectation_values

_COUNTS_PREFIX = b'{"counts":'
_MAX_MISTAKES = 20
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


# The result of each command: counts, an inspection, or a drawing.
CommandResult = RunResult | Inspection | str


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of a request. If `retiring`, the process ends after this response and must be replaced."""

    outcome: CommandResult | ExecutionFailed
    retiring: bool = False


def encode_response(response: Response, request: Request) -> bytes:
    outcome = response.outcome
    message = _encoded_outcome(outcome) | {"retiring": response.retiring, "token": request.token}
    if request.command is Command.INSPECT and isinstance(outcome, ExecutionFailed):
        message["others"] = [asdict(other.failure) for other in outcome.others]
    if isinstance(outcome, RunResult) and _is_single_run(request) and outcome.counts:
        # The counts come first, so that the parent can find them without decoding the message.
        message = {"counts": outcome.counts} | message
        message["result"] = {"profile": outcome.profile}
    return _ENCODER.encode(message).encode()


def _encoded_outcome(outcome: CommandResult | ExecutionFailed) -> dict[str, object]:
    match outcome:
        case ExecutionFailed():
            return {"failure": asdict(outcome.failure)}
        case RunResult():
            return {"result": fields_of(outcome)}
        case Inspection():
            return {"inspection": asdict(outcome)}
        case str():
            return {"drawing": outcome}


# Without spaces, as the limit on the size of a result assumes.
_ENCODER = json.JSONEncoder(separators=(",", ":"), default=fields_of)


def decode_response(data: bytes, request: Request) -> Response:
    """Decode and check the response to a request.

    Raises:
        ValueError: the data is not a valid response to this request.
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
    """The counts at the start of the response to a single run, and the rest of the response as JSON."""
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
        profile = decode_profile(message["result"]["profile"])
        return RunResult(counts=counts, shots=request.spec.shots, profile=profile)
    match request.command:
        case Command.RUN:
            return (decode_expectation_values if request.spec.options.observables else decode_counts)(
                message["result"], request
            )
        case Command.CONVERT:
            return decode_conversion(message["result"])
        case Command.INSPECT:
            return _decode_inspection(message["inspection"])
        case Command.DRAW:
            drawing = message["drawing"]
            drawing.encode()  # raises on a lone surrogate, which no response could contain
            return str(drawing)


def _decode_inspection(data: dict[str, Any]) -> Inspection:
    failure = data["failure"]
    known: dict[str, Any] = {
        "operations": {str(name): int(count) for name, count in data["operations"].items()},
        "method": None if data["method"] is None else Method(data["method"]),
        "failure": None if failure is None else _decode_error(failure).failure,
        "warnings": decode_warnings(data["warnings"]),
        "placement": decode_placement(data.get("placement")),
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
    return kind(decode_message(data), **decode_position(data))
