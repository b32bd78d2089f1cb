"""The route of a task's circuit, `GET /tasks/{id}/circuit`: its program, drawings, and flat OpenQASM 3."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.representation import negotiated, represented
from ketline.api.services import services_of
from ketline.api.tasks.results import parameter_problem
from ketline.api.tasks.stored import not_found
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import DeviceMismatch, ExecutionFailed, ProgramTooLarge, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.sweep import number_of_points, points_of
from ketline.schemas.inspection import CircuitQuery
from ketline.schemas.tasks import TaskFailure
from ketline.schemas.types import BELL

router = APIRouter(prefix="/tasks", tags=["tasks"])

_TEXT = "text/plain; charset=utf-8"
_SVG = "image/svg+xml"
_BINARY = "application/octet-stream"
# Drawings are made from untrusted programs, so browsers must not run or load anything from them.
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Vary": "Accept-Encoding",
}
_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The circuit in the requested format",
        "headers": {"ETag": {"description": "Changes with the content", "schema": {"type": "string"}}},
        "content": {
            "text/plain": {"schema": {"type": "string"}, "example": BELL},
            _BINARY: {"schema": {"type": "string", "format": "binary"}},
            _SVG: {"schema": {"type": "string"}, "example": '<svg xmlns="http://www.w3.org/2000/svg">…</svg>'},
        },
    },
    206: {"description": "The requested bytes"},
    304: {"description": "Unchanged since the ETag that `If-None-Match` names"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags that the client has",
    "schema": {"type": "string"},
}


@router.get(
    "/{task_id}/circuit",
    operation_id="read_circuit",
    response_class=Response,
    responses={
        **_DOCUMENTED,
        **problem_responses(
            "task_not_found",
            "circuit_unreadable",
            "drawing_too_large",
            "not_acceptable",
            "range_not_satisfiable",
            "invalid_request",
            "database_unavailable",
            "inspector_busy",
            "service_unavailable",
        ),
    },
    openapi_extra={"parameters": [_IF_NONE_MATCH]},
)
async def read_circuit(task_id: UUID, query: Annotated[CircuitQuery, Query()], request: Request) -> Response:
    """Read a task's program as it was submitted, as a drawing, or as flat OpenQASM 3; of a task with a device also the
    circuit that runs there, on the qubits that it uses, named `q12` for qubit 12 of the device.

    A program that was submitted in QPY is base64 text, or the file itself as `application/octet-stream`."""
    try:
        source = await services_of(request).draw.source(TaskId(task_id))
        if query.stage == "transpiled":
            drawing = Drawing.FLAT if query.format == "source" else Drawing(query.format)
            return await _drawing(request, await _on_device(request, source), drawing, query.point)
        if query.format == "source":
            return await _source(request, source)
        return await _drawing(request, replace(source, device=None), Drawing(query.format), query.point)
    except TaskNotFound as error:
        raise not_found(task_id) from error


def at_point(source: ProgramSource, point: int | None) -> ProgramSource:
    """The program with the inputs of one point of its sweep; unchanged if `point` is None.

    Raises:
        HTTPProblem: the task is not a sweep, or has fewer points.
    """
    if point is None:
        return source
    points = number_of_points(source.inputs)
    if points is None:
        raise parameter_problem("point", "must be left out: this task is no sweep")
    if point >= points:
        raise parameter_problem("point", f"must be less than {points}, the number of points of this task")
    return replace(source, inputs=next(islice(points_of(source.inputs), point, None)))


async def _source(request: Request, source: ProgramSource) -> Response:
    if source.format is not ProgramFormat.QPY:
        return await represented(request, source.circuit.encode(), _TEXT, _HEADERS)
    headers = {**_HEADERS, "Vary": "Accept, Accept-Encoding"}
    if negotiated(request, ("text/plain", _BINARY)) == _BINARY:
        return await represented(request, b64decode(source.circuit), _BINARY, headers)
    return await represented(request, source.circuit.encode(), _TEXT, headers)


async def _on_device(request: Request, source: ProgramSource) -> ProgramSource:
    """The program with the content of its device.

    Raises:
        HTTPProblem: the task has no device.
    """
    if source.device is None:
        raise parameter_problem("stage", "must be 'submitted': this task has no device")
    try:
        device = await services_of(request).task_devices.load(source.device)
    except DeviceMismatch as error:
        raise _unreadable(error, "circuit_unreadable") from error
    return replace(source, device=device)


async def _drawing(request: Request, source: ProgramSource, drawing: Drawing, point: int | None) -> Response:
    shown = await _draw(request, source, drawing, point)
    return await represented(request, shown.encode(), _SVG if drawing is Drawing.SVG else _TEXT, _HEADERS)


async def _draw(request: Request, source: ProgramSource, drawing: Drawing, point: int | None) -> str:
    try:
        return await services_of(request).draw.program(at_point(source, point), drawing)
    except ExecutionFailed as error:
        code = "drawing_too_large" if isinstance(error, ProgramTooLarge) else "circuit_unreadable"
        raise _unreadable(error, code) from error


def _unreadable(error: ExecutionFailed, code: str) -> HTTPProblem:
    detail = f"{error.message[:1].upper()}{error.message[1:]}."
    failure = TaskFailure(code=error.failure_code, message=error.message, line=error.line, column=error.column)
    return HTTPProblem(code, detail, failure=failure)
