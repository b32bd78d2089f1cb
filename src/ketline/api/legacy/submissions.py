"""Translates submissions of clients of older services into a `SubmitRequest`, before any other code reads them.

`api/tasks/submission.py` calls it for a body that is not valid in Ketline's own shape.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from pydantic import ValidationError

from ketline.api.legacy.meta_data import FILLED_IN
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import MAX_LISTED, invalid_request
from ketline.api.services import ApiOptions
from ketline.domain.backends.backend_jobs import is_backend_name
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, Target, format_by_header
from ketline.domain.devices.backend import METHODS
from ketline.domain.tasks.kind import TaskKind
from ketline.schemas.legacy import LegacyPayload, LegacyRequest, TaskType
from ketline.schemas.problems import FieldError
from ketline.schemas.submissions import SubmitRequest

BACKEND_POINTER = "#/payload/backend_name"
# Simulators of older services whose results are those of Aer; Ketline chooses the method.
_SIMULATORS: Mapping[str, Method] = {
    "qbraid_qir_simulator": Method.AUTOMATIC,
    "aer_simulator": Method.AUTOMATIC,
    **{method.value: method for method in METHODS},
}
_BRAKET = "write the circuit as OpenQASM with circuit.to_ir('OPENQASM').source"
# Advice for users of a framework whose Python source older services execute, by the framework's name.
_ADVICE: Mapping[str, str] = {
    "qiskit": "write the circuit as OpenQASM with qiskit.qasm3.dumps(circuit)",
    "braket": _BRAKET,
    "amazon_braket": _BRAKET,
}


def is_legacy(error: ValidationError) -> bool:
    """Whether a body that is not a valid `SubmitRequest`, by this error, is from a client of an older service."""
    if error.error_count() > MAX_LISTED:
        return False
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return any(fault["loc"] == ("task_type",) for fault in found)


def to_request(body: LegacyRequest, options: ApiOptions) -> SubmitRequest:
    """Return the same submission as a `SubmitRequest`.

    Raises:
        HTTPProblem: it exceeds a limit of the service, or requests something that Ketline does not support.
    """
    payload = body.payload
    _require_text(payload)
    _require_within_limits(body, options)
    return SubmitRequest(
        qc=payload.circuit_data,
        format=_format_of(payload.circuit_data),
        **_fields_of_kind(body.task_type, payload),
        max_attempts=None if body.max_retries is None else body.max_retries + 1,
        scheduled_for=body.scheduled_for,
        metadata={name: value for name, value in (body.meta_data or {}).items() if name not in FILLED_IN},
    )


def _fields_of_kind(task_type: TaskType, payload: LegacyPayload) -> dict[str, Any]:
    """The fields that depend on the kind of task.

    A conversion ignores the shots and the simulator, which such clients send with every task.
    """
    if task_type is not TaskType.RUN and payload.backend_name is not None:
        raise _invalid(("payload", "backend_name"), "is for the task_type 'backend_run' only")
    match task_type:
        case TaskType.SIMULATE:
            return {"shots": payload.shots, "method": _method_of(payload.simulator_id)}
        case TaskType.CONVERT:
            return {"kind": TaskKind.CONVERT, "target": Target.QIR}
        case TaskType.RUN:
            return {"kind": TaskKind.RUN, "shots": payload.shots, "backend": _backend_of(payload)}
        case _:
            assert_never(task_type)


def _backend_of(payload: LegacyPayload) -> str:
    if payload.simulator_id is not None:
        raise _invalid(("payload", "simulator_id"), "is for the task_type 'simulate' only")
    if payload.backend_name is None:
        raise _invalid(("payload", "backend_name"), "is required for the task_type 'backend_run'")
    if not is_backend_name(payload.backend_name):
        raise _invalid(("payload", "backend_name"), "must be a backend of GET /backends")
    return payload.backend_name


def _require_text(payload: LegacyPayload) -> None:
    if payload.circuit_type in _ADVICE:
        advice = f"{_ADVICE[payload.circuit_type]}, and send that text with the circuit_type 'qasm'"
        error = FieldError(pointer="#/payload/circuit_type", detail=f"must be 'qasm': {advice}")
        detail = f"Python source is never executed: {advice}."
        raise HTTPProblem("python_source_refused", detail, errors=[error])
    if payload.circuit_type != "qasm":
        raise _invalid(("payload", "circuit_type"), "must be 'qasm'")


def _require_within_limits(body: LegacyRequest, options: ApiOptions) -> None:
    if (body.payload.shots or 0) > options.max_shots:
        raise _invalid(("payload", "shots"), f"must be at most {options.max_shots}")
    if (body.max_retries or 0) >= options.max_attempts:
        raise _invalid(("max_retries",), f"must be at most {options.max_attempts - 1}")


def _format_of(program: str) -> ProgramFormat:
    """OpenQASM 2 or 3, never QPY: such clients send only text."""
    by_header = format_by_header(program)
    return ProgramFormat.OPENQASM3 if by_header is ProgramFormat.QPY else by_header


def _method_of(simulator: str | None) -> Method:
    if simulator is None:
        return Method.AUTOMATIC
    if (method := _SIMULATORS.get(simulator)) is None:
        *others, last = map(repr, _SIMULATORS)
        raise _invalid(("payload", "simulator_id"), f"must be {', '.join(others)} or {last}, or be left out")
    return method


def _invalid(path: Sequence[str], text: str) -> HTTPProblem:
    fault: dict[str, Any] = {"type": "not_translatable", "loc": ("body", *path), "msg": text}
    return invalid_request([fault])
