"""The route of a conversion's output, `GET /tasks/{id}/output`."""

import asyncio
from base64 import b64decode
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.representation import represented
from ketline.api.tasks.stored import with_result
from ketline.api.tasks.views import require_completed
from ketline.domain.circuits.program_format import Target
from ketline.domain.results.result import Conversion, MediaType
from ketline.domain.tasks.task import Task

router = APIRouter(prefix="/tasks", tags=["tasks"])

_SUFFIXES = {Target.OPENQASM3: "qasm", Target.OPENQASM2: "qasm", Target.QPY: "qpy"}


@router.get(
    "/{task_id}/output",
    operation_id="read_output",
    response_class=Response,
    responses={
        200: {
            "description": "The converted program",
            "content": {
                MediaType.TEXT: {"schema": {"type": "string"}},
                MediaType.BINARY: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        206: {"description": "The requested bytes"},
        304: {"description": "The client has them already"},
        **problem_responses(
            "task_not_found",
            "result_not_ready",
            "task_failed",
            "task_cancelled",
            "no_output",
            "range_not_satisfiable",
            "invalid_request",
            "database_unavailable",
        ),
    },
)
async def read_output(task_id: UUID, request: Request) -> Response:
    """Read the output of a completed task of kind `convert` as a file: text, or the bytes of QPY and bitcode."""
    require_known_parameters(request)
    async with with_result(request, task_id) as task:
        output = _output_of(task)
        body = await asyncio.to_thread(b64decode, output.content) if output.base64 else output.content.encode()
        headers = {"Content-Disposition": f'attachment; filename="{task.task_id}.{_suffix(task, output)}"'}
        return await represented(request, body, _content_type(output), headers)


def _output_of(task: Task) -> Conversion:
    if task.conversion is None:
        require_completed(task)
        raise HTTPProblem("no_output", task_status=task.status)
    return task.conversion


def _suffix(task: Task, output: Conversion) -> str:
    assert task.target is not None  # a conversion has one
    return _SUFFIXES.get(task.target, "bc" if output.base64 else "ll")


def _content_type(output: Conversion) -> str:
    return output.media_type if output.base64 else f"{output.media_type}; charset=utf-8"
