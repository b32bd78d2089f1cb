"""Read the result of a task: its counts, or every shot, in the form that is asked for."""

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
from ketline.api.tasks.stored import Written, result_response
from ketline.api.tasks.views import memory_of, outcomes_of
from ketline.domain.outcomes import Counts, KeyFormat, formatted, merged, most_frequent, register_view, registers_of
from ketline.domain.task import Point, Task

router = APIRouter(prefix="/tasks", tags=["tasks"])

T = TypeVar("T")
MOST_OUTCOMES = 1_000_000
LONGEST_REGISTER_NAME = 255
_MOST_NAMED = 20
# What is larger is written in a thread: the event loop stays free.
MOST_WRITTEN_AT_ONCE = 2_000

Top = Annotated[
    int | None, Query(ge=1, le=MOST_OUTCOMES, description="Only so many outcomes, the most frequent ones first")
]
Format = Annotated[KeyFormat, Query(alias="format", description="How outcomes are written")]
RegisterName = Annotated[
    str | None,
    Query(
        alias="register",
        min_length=1,
        max_length=LONGEST_REGISTER_NAME,
        description="Only this register: its name, or its number from 0 in the order of declaration",
    ),
]
Place = Annotated[int | None, Query(alias="point", ge=0, description="Only this point of a sweep, counted from 0")]

_TOTALS = {
    "X-Outcomes": {"description": "How many different outcomes there are", "schema": {"type": "integer"}},
    "X-Shots": {"description": "How many shots they sum to", "schema": {"type": "integer"}},
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
        206: {"description": "The bytes that were asked for"},
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
    point: Place = None,
) -> Response:
    """Read the counts of a completed task, and nothing else."""
    require_known_parameters(request, "top", "format", "register", "point")
    media_type = negotiated(request, MEDIA_TYPES)

    async def write(task: Task) -> Written:
        chosen = chosen_points(task, point)
        view = _view(chosen, register)
        show = formatted(key_format)

        def written() -> Written:
            viewed = [one.counts if view is None else merged(one.counts, view) for one in chosen.points]
            kept = viewed if top is None else [most_frequent(counts, top) for counts in viewed]
            shown = [{show(key): count for key, count in counts.items()} for counts in kept]
            return Written(write_counts(shown, media_type, swept=chosen.swept), _totals(viewed))

        return await _aside(written, sum(len(one.counts) for one in chosen.points))

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
        206: {"description": "The bytes that were asked for"},
        304: {"description": "The client has them already"},
        **_PROBLEMS,
    },
)
async def read_memory(
    task_id: UUID,
    request: Request,
    key_format: Format = KeyFormat.BINARY,
    register: RegisterName = None,
    point: Place = None,
) -> Response:
    """Read the outcome of every shot of a completed task that was submitted with `memory`."""
    require_known_parameters(request, "format", "register", "point")
    media_type = negotiated(request, MEDIA_TYPES)

    async def write(task: Task) -> Written:
        chosen = chosen_points(task, point)
        shots = [memory_of(chosen.task, one) for one in chosen.points]
        view = _view(chosen, register) or str

        def written() -> Written:
            as_bits = key_format is KeyFormat.BINARY
            show = formatted(key_format)
            shown = [[show(view(shot)) for shot in of] for of in shots]
            return Written(write_shots(shown, media_type, as_bits=as_bits, swept=chosen.swept))

        return await _aside(written, sum(map(len, shots)))

    return await result_response(request, task_id, media_type, write)


class Chosen(NamedTuple):
    """The points of a task that are shown; `swept` says that they are shown as points of a sweep."""

    task: Task
    points: Sequence[Point]
    swept: bool


def chosen_points(task: Task, place: int | None) -> Chosen:
    """The points of a completed task, or the one at a place.

    Raises:
        Refusal: it has no points, or none there.
    """
    points, swept = outcomes_of(task), task.points is not None
    if place is None:
        return Chosen(task, points, swept)
    if not swept:
        raise refused_parameter("point", "must be left out: this task is no sweep")
    if place >= len(points):
        raise refused_parameter("point", f"must be less than {len(points)}, the number of points of this task")
    return Chosen(task, [points[place]], swept=False)


def _totals(counts: Sequence[Counts]) -> Mapping[str, str]:
    return {
        "X-Outcomes": str(sum(map(len, counts))),
        "X-Shots": str(sum(sum(of.values()) for of in counts)),
    }


def _view(chosen: Chosen, register: str | None) -> Callable[[str], str] | None:
    """What shows this register of a key; None shows the whole key."""
    if register is None:
        return None
    there = registers_of(next(iter(chosen.points[0].counts), ""))
    if register.isascii() and register.isdigit():
        if (number := int(register)) < there:
            return register_view(number)
        raise refused_parameter("register", f"must be less than {there}, the number of registers of this task")
    registers = (chosen.task.profile and chosen.task.profile.registers) or ()
    names = [one.name for one in registers]
    if register in names:
        return register_view(names.index(register))
    known = ", ".join(name for name in names[:_MOST_NAMED] if name is not None) or "known by number only"
    raise refused_parameter("register", f"must be a register of this task; they are {known}")


def refused_parameter(parameter: str, text: str) -> HTTPProblem:
    return invalid_request([{"type": f"{parameter}_unknown", "loc": ("query", parameter), "msg": text}])


async def _aside(write: Callable[[], T], entries: int) -> T:
    return write() if entries <= MOST_WRITTEN_AT_ONCE else await asyncio.to_thread(write)
