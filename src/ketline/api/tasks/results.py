"""The routes of results, `GET /tasks/{id}/counts` and `/memory`, in the requested format."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NamedTuple, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_request
from ketline.api.responses.formats import CSV, JSON, MEDIA_TYPES, NPY, write_counts, write_shots
from ketline.api.responses.representation import negotiated
from ketline.api.tasks.stored import EncodedResult, result_response
from ketline.api.tasks.views import memory_of, outcomes_of
from ketline.domain.results.outcomes import (
    Counts,
    KeyFormat,
    format_view,
    merged,
    most_frequent,
    register_count,
    register_view,
)
from ketline.domain.results.result import Point
from ketline.domain.tasks.task import Task

router = APIRouter(prefix="/tasks", tags=["tasks"])

T = TypeVar("T")
MAX_OUTCOMES = 1_000_000
MAX_REGISTER_NAME_CHARACTERS = 255
_MAX_NAMED = 20
# Results with more entries are encoded in a thread, so that the event loop stays responsive.
MAX_ENCODED_ON_LOOP = 2_000

Top = Annotated[
    int | None, Query(ge=1, le=MAX_OUTCOMES, description="Only this many outcomes, the most frequent ones first")
]
Format = Annotated[KeyFormat, Query(alias="format", description="Format of the outcomes")]
RegisterName = Annotated[
    str | None,
    Query(
        alias="register",
        min_length=1,
        max_length=MAX_REGISTER_NAME_CHARACTERS,
        description="Only this register: its name, or its number from 0 in the order of declaration",
    ),
]
PointIndex = Annotated[int | None, Query(alias="point", ge=0, description="Only this point of a sweep, counted from 0")]

_TOTALS = {
    "X-Outcomes": {"description": "Number of different outcomes", "schema": {"type": "integer"}},
    "X-Shots": {"description": "Sum of their counts", "schema": {"type": "integer"}},
}
_PROBLEMS = problem_responses(
    "task_not_found",
    "result_not_ready",
    "task_failed",
    "task_cancelled",
    "no_counts",
    "no_memory",
    "not_acceptable",
    "range_not_satisfiable",
    "invalid_request",
    "database_unavailable",
)
_MAP = {"type": "object", "additionalProperties": {"type": "integer"}}
_LIST = {"type": "array", "items": {"type": "string"}}
_ARRAY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/{task_id}/counts",
    operation_id="read_counts",
    response_class=Response,
    responses={
        200: {
            "description": "Counts by outcome; of a sweep an array of them",
            "headers": _TOTALS,
            "content": {
                JSON: {
                    "schema": {"anyOf": [_MAP, {"type": "array", "items": _MAP}]},
                    "example": {"00": 512, "11": 512},
                },
                CSV: {"schema": {"type": "string"}, "example": "outcome,count\r\n00,512\r\n11,512\r\n"},
                NPY: _ARRAY,
            },
        },
        206: {"description": "The requested bytes"},
        304: {"description": "The client has them already"},
        **_PROBLEMS,
    },
)
async def read_counts(
    task_id: UUID,
    request: Request,
    top: Top = None,
    key_format: Format = KeyFormat.BINARY,
    register: RegisterName = None,
    point: PointIndex = None,
) -> Response:
    """Read only the counts of a completed task."""
    require_known_parameters(request, "top", "format", "register", "point")
    media_type = negotiated(request, MEDIA_TYPES)

    async def write(task: Task) -> EncodedResult:
        chosen = chosen_points(task, point)
        view = _view(chosen, register)
        show = format_view(key_format)

        def encode() -> EncodedResult:
            viewed = [one.counts if view is None else merged(one.counts, view) for one in chosen.points]
            shown_counts = viewed if top is None else [most_frequent(counts, top) for counts in viewed]
            shown = [{show(key): count for key, count in counts.items()} for counts in shown_counts]
            return EncodedResult(write_counts(shown, media_type, swept=chosen.swept), _totals(viewed))

        return await _in_thread_if_large(encode, sum(len(one.counts) for one in chosen.points))

    return await result_response(request, task_id, media_type, write)


@router.get(
    "/{task_id}/memory",
    operation_id="read_memory",
    response_class=Response,
    responses={
        200: {
            "description": "The outcome of every shot, in order; of a sweep an array of them",
            "content": {
                JSON: {
                    "schema": {"anyOf": [_LIST, {"type": "array", "items": _LIST}]},
                    "example": ["11", "00", "11"],
                },
                CSV: {"schema": {"type": "string"}, "example": "outcome\r\n11\r\n00\r\n11\r\n"},
                NPY: _ARRAY,
            },
        },
        206: {"description": "The requested bytes"},
        304: {"description": "The client has them already"},
        **_PROBLEMS,
    },
)
async def read_memory(
    task_id: UUID,
    request: Request,
    key_format: Format = KeyFormat.BINARY,
    register: RegisterName = None,
    point: PointIndex = None,
) -> Response:
    """Read the outcome of every shot of a completed task that was submitted with `memory`."""
    require_known_parameters(request, "format", "register", "point")
    media_type = negotiated(request, MEDIA_TYPES)

    async def write(task: Task) -> EncodedResult:
        chosen = chosen_points(task, point)
        shots = [memory_of(chosen.task, one) for one in chosen.points]
        view = _view(chosen, register) or str

        def encode() -> EncodedResult:
            as_bits = key_format is KeyFormat.BINARY
            show = format_view(key_format)
            shown = [[show(view(shot)) for shot in of] for of in shots]
            return EncodedResult(write_shots(shown, media_type, as_bits=as_bits, swept=chosen.swept))

        return await _in_thread_if_large(encode, sum(map(len, shots)))

    return await result_response(request, task_id, media_type, write)


class Chosen(NamedTuple):
    """The requested points of a task; with `swept` they are encoded as an array."""

    task: Task
    points: Sequence[Point]
    swept: bool


def chosen_points(task: Task, point: int | None) -> Chosen:
    """All points of a completed task, or the one with index `point`.

    Raises:
        HTTPProblem: the task is not a sweep, or has fewer points.
    """
    points, swept = outcomes_of(task), task.points is not None
    if point is None:
        return Chosen(task, points, swept)
    if not swept:
        raise parameter_problem("point", "must be left out: this task is no sweep")
    if point >= len(points):
        raise parameter_problem("point", f"must be less than {len(points)}, the number of points of this task")
    return Chosen(task, [points[point]], swept=False)


def _totals(counts: Sequence[Counts]) -> Mapping[str, str]:
    return {
        "X-Outcomes": str(sum(map(len, counts))),
        "X-Shots": str(sum(sum(of.values()) for of in counts)),
    }


def _view(chosen: Chosen, register: str | None) -> Callable[[str], str] | None:
    """A function that extracts this register from a key; None for the whole key."""
    if register is None:
        return None
    count = register_count(next(iter(chosen.points[0].counts), ""))
    if register.isascii() and register.isdigit():
        if (number := int(register)) < count:
            return register_view(number)
        raise parameter_problem("register", f"must be less than {count}, the number of registers of this task")
    registers = (chosen.task.profile and chosen.task.profile.registers) or ()
    names = [each.name for each in registers]
    if register in names:
        return register_view(names.index(register))
    known = ", ".join(name for name in names[:_MAX_NAMED] if name is not None) or "known by number only"
    raise parameter_problem("register", f"must be a register of this task; they are {known}")


def parameter_problem(parameter: str, text: str) -> HTTPProblem:
    """The problem for a query parameter that does not fit the task."""
    return invalid_request([{"type": f"{parameter}_unknown", "loc": ("query", parameter), "msg": text}])


async def _in_thread_if_large(write: Callable[[], T], entries: int) -> T:
    return write() if entries <= MAX_ENCODED_ON_LOOP else await asyncio.to_thread(write)
