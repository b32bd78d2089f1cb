"""The routes of outputs, `GET /tasks/{id}/outputs` and `/outputs/{name}`, as JSON or NumPy arrays."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.arrays import NPZ, numbers_of, write_archive, write_array
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.formats import JSON, NPY
from ketline.api.responses.representation import negotiated
from ketline.api.tasks.output_text import ChosenText, OutputText, chosen_text
from ketline.api.tasks.results import PointIndex, parameter_problem
from ketline.api.tasks.stored import text_response
from ketline.api.tasks.views import require_completed
from ketline.domain.results.outputs import Output, Outputs
from ketline.domain.tasks.task import Task

router = APIRouter(prefix="/tasks", tags=["tasks"])

T = TypeVar("T")

OutputName = Annotated[str, Path(max_length=64, description="Name of the output; by default its type")]

_PROBLEMS = problem_responses(
    "task_not_found",
    "result_not_ready",
    "task_failed",
    "task_cancelled",
    "no_outputs",
    "not_acceptable",
    "range_not_satisfiable",
    "invalid_request",
    "database_unavailable",
)
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_VIEW = {"$ref": "#/components/schemas/OutputView"}
_NAMED = {"type": "object", "additionalProperties": _VIEW}
_PARTIAL: dict[int | str, Any] = {
    206: {"description": "The requested bytes"},
    304: {"description": "The client has them already"},
}


@router.get(
    "/{task_id}/outputs",
    operation_id="read_outputs",
    response_class=Response,
    responses={
        200: {
            "description": "All outputs by name; of a sweep an array of them, in the archive arrays with a point first",
            "content": {JSON: {"schema": {"anyOf": [_NAMED, {"type": "array", "items": _NAMED}]}}, NPZ: _BYTES},
        },
        **_PARTIAL,
        **_PROBLEMS,
    },
)
async def read_outputs(task_id: UUID, request: Request, point: PointIndex = None) -> Response:
    """Read the outputs of a completed task: as JSON, or as a `npz` archive of arrays for NumPy."""
    require_known_parameters(request, "point")
    media_type = negotiated(request, (JSON, NPZ))

    def write(task: Task) -> Iterable[str | bytes]:
        chosen = chosen_outputs(task, point)
        if media_type == JSON:
            shown = [{name: _json_of(one) for name, one in outputs.items()} for outputs in chosen.points]
            return [_encoded(shown if chosen.swept else shown[0])]
        return [archive_of(chosen)]

    def write_text(text: str) -> Iterable[str | bytes]:
        chosen = text_of(task_id, text, point)
        if media_type == JSON:
            return _json_list([_json_object(outputs) for outputs in chosen.points], swept=chosen.swept)
        return [archive_of_text(chosen)]

    return await text_response(request, task_id, media_type, write, write_text)


@router.get(
    "/{task_id}/outputs/{name}",
    operation_id="read_output_by_name",
    response_class=Response,
    responses={
        200: {
            "description": "One output; of a sweep an array of them",
            "content": {
                JSON: {"schema": {"anyOf": [_VIEW, {"type": "array", "items": _VIEW}]}},
                NPY: _BYTES,
            },
        },
        **_PARTIAL,
        **_PROBLEMS,
        **problem_responses("output_not_found"),
    },
)
async def read_output_by_name(task_id: UUID, name: OutputName, request: Request, point: PointIndex = None) -> Response:
    """Read one output of a completed task: as JSON, or as an array in NumPy's format `npy`."""
    require_known_parameters(request, "point")
    media_type = negotiated(request, (JSON, NPY))

    def write(task: Task) -> Iterable[str | bytes]:
        chosen = chosen_outputs(task, point)
        found = [outputs[name] for outputs in _having(name, task_id, chosen.points)]
        if media_type == JSON:
            shown = [_json_of(one) for one in found]
            return [_encoded(shown if chosen.swept else shown[0])]
        return [write_array(map(numbers_of, found), swept=chosen.swept)]

    def write_text(text: str) -> Iterable[str | bytes]:
        chosen = text_of(task_id, text, point)
        found = [outputs[name] for outputs in _having(name, task_id, chosen.points)]
        if media_type == JSON:
            return _json_list([one.pieces() for one in found], swept=chosen.swept)
        return [write_array(map(OutputText.numbers, found), swept=chosen.swept)]

    return await text_response(request, task_id, media_type, write, write_text)


def archive_of(chosen: "ChosenOutputs") -> bytes:
    """The outputs of a result as an archive for NumPy."""
    named = {name: map(numbers_of, outputs) for name, outputs in chosen.by_name().items()}
    return write_archive(named, swept=chosen.swept)


def archive_of_text(chosen: ChosenText) -> bytes:
    """The outputs in the text of a result as an archive for NumPy."""
    names = chosen.points[0]
    named = {name: map(OutputText.numbers, [outputs[name] for outputs in chosen.points]) for name in names}
    return write_archive(named, swept=chosen.swept)


def text_of(task_id: UUID, text: str, point: int | None) -> ChosenText:
    """The outputs in the text of a large result, see `chosen_text`.

    Raises:
        HTTPProblem: it has no outputs, is not a sweep, or has fewer points.
    """
    chosen = chosen_text(text, point)
    if chosen is None:
        raise HTTPProblem("no_outputs", f"Task {task_id} was submitted without outputs.")
    return chosen


def _having(name: str, task_id: UUID, points: Sequence[Mapping[str, T]]) -> Sequence[Mapping[str, T]]:
    """The outputs of these points, which have one of this name.

    Raises:
        HTTPProblem: they have not.
    """
    if name not in points[0]:
        known = ", ".join(points[0])
        raise HTTPProblem("output_not_found", f"Task {task_id} has no output of this name; it has: {known}.")
    return points


def _json_list(items: Sequence[Iterable[str]], *, swept: bool) -> Iterator[str]:
    """Yield items as a list, or the only one alone."""
    if not swept:
        yield from items[0]
        return
    for number, item in enumerate(items):
        yield "," if number else "["
        yield from item
    yield "]"


def _json_object(outputs: Mapping[str, OutputText]) -> Iterator[str]:
    for number, (name, output) in enumerate(outputs.items()):
        yield f'{"," if number else "{"}"{name}":'
        yield from output.pieces()
    yield "}"


class ChosenOutputs(NamedTuple):
    """The outputs of the requested points; with `swept` they are encoded as an array."""

    points: Sequence[Outputs]
    swept: bool

    def by_name(self) -> Mapping[str, Sequence[Output]]:
        """Each output at all points."""
        return {name: [outputs[name] for outputs in self.points] for name in self.points[0]}


def chosen_outputs(task: Task, point: int | None) -> ChosenOutputs:
    """The outputs of all points of a completed task, or of the one with index `point`.

    Raises:
        HTTPProblem: it has no outputs, is not a sweep, or has fewer points.
    """
    if point is None and task.points is not None:
        found, swept = [one.outputs for one in task.points], True
    else:
        found, swept = [outputs_at(task, point)], False
    points = [outputs for outputs in found if outputs is not None]
    if not points:
        require_completed(task)
        raise HTTPProblem("no_outputs", task_status=task.status)
    return ChosenOutputs(points, swept)


def outputs_at(task: Task, point: int | None) -> Outputs | None:
    """The outputs of a point of a sweep, or of a task that is none; None if there are none.

    Raises:
        HTTPProblem: it is not a sweep, or has fewer points.
    """
    if task.points is None:
        if point is not None and task.outputs is not None:
            raise parameter_problem("point", "must be left out: this task is no sweep")
        return task.outputs
    if point is None or point >= len(task.points):
        raise parameter_problem("point", f"must be less than {len(task.points)}, the number of points of this task")
    return task.points[point].outputs


def _json_of(output: Output) -> Mapping[str, object]:
    return {"type": output.type.value, "qubits": output.qubits, "values": output.values}


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
