"""The messages between an adapter and the process of its device: lines of JSON.

The adapter sends `{"call": name, "arguments": […]}`; the process answers each with `{"value": …}`, or with an error's
code and message. `device_process.py` and `host.py` call it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob, RemoteState, RemoteStatus
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import (
    BackendAccessDenied,
    BackendFailed,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendResultInvalid,
    BackendUnavailable,
)
from ketline.domain.results.result import Register

_ERRORS: Mapping[str, type[BackendFailed]] = {
    kind.code: kind
    for kind in (
        BackendAccessDenied,
        BackendFailed,
        BackendJobNotFound,
        BackendOutcomeUnknown,
        BackendRefused,
        BackendResultInvalid,
        BackendUnavailable,
    )
}
_MAX_MESSAGE_CHARACTERS = 1_000


def encode_call(name: str, arguments: Sequence[object]) -> bytes:
    return _line({"call": name, "arguments": [_encoded(argument) for argument in arguments]})


def decode_call(line: bytes) -> tuple[str, list[Any]]:
    message = json.loads(line)
    return message["call"], [_decoded_argument(argument) for argument in message["arguments"]]


def encode_value(value: object) -> bytes:
    return _line({"value": _encoded(value)})


def encode_error(error: BackendFailed) -> bytes:
    delay = error.delay if isinstance(error, BackendUnavailable) else None
    message = " ".join(str(error).split())[:_MAX_MESSAGE_CHARACTERS]
    return _line({"error": error.code, "message": message, "delay": delay and delay.total_seconds()})


def decode_answer(line: bytes) -> Any:
    """Return the value of an answer; a description or a state is returned as a mapping.

    Raises:
        BackendFailed: the answer is an error.
    """
    message = json.loads(line)
    if "error" not in message:
        return message["value"]
    kind = _ERRORS[message["error"]]
    if kind is BackendUnavailable:
        delay = message["delay"]
        raise BackendUnavailable(message["message"], delay=None if delay is None else timedelta(seconds=delay))
    raise kind(message["message"])


def state_of(data: Mapping[str, Any]) -> RemoteState:
    """Decode a state, the value of an answer to `poll`."""
    return RemoteState(**{**data, "status": RemoteStatus(data["status"])})


def _job_of(data: Mapping[str, Any]) -> BackendJob:
    registers = data["registers"]
    return BackendJob(
        **{
            **data,
            "format": ProgramFormat(data["format"]),
            "registers": None if registers is None else tuple(Register(**register) for register in registers),
        }
    )


def _encoded(value: object) -> object:
    if isinstance(value, BackendJob):
        return {"job": asdict(value)}
    return asdict(value) if isinstance(value, (BackendDescription, RemoteState)) else value


def _decoded_argument(argument: Any) -> Any:
    return _job_of(argument["job"]) if isinstance(argument, dict) else argument


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
