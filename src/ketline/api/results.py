"""Read the result of a task: its counts, or every shot, in the form that is asked for."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from ketline.api.formats import CSV, JSON, MEDIA_TYPES, NPY, write_counts, write_shots
from ketline.api.openapi import problem_responses
from ketline.api.parameters import refuse_unknown_parameters
from ketline.api.present import counts_of, memory_of
from ketline.api.representation import negotiated, represented
from ketline.api.stored import stored_task
from ketline.api.validation import refuse
from ketline.domain.outcomes import KeyFormat, formatted, merged, most_frequent, register_view, registers_of

router = APIRouter(prefix="/tasks", tags=["tasks"])

T = TypeVar("T")
MOST_OUTCOMES = 1_000_000
# What is larger is written in a thread: the event loop stays free.
MOST_WRITTEN_AT_ONCE = 2_000

Top = Annotated[
    int | None, Query(ge=1, le=MOST_OUTCOMES, description="Only so many outcomes, the most frequent ones first")
]
Format = Annotated[KeyFormat, Query(alias="format", description="How outcomes are written")]
Register = Annotated[
    int | None, Query(ge=0, description="Only this register, counted from 0 in the order of declaration")
]

_TOTALS = {
    "X-Outcomes": {"description": "How many different outcomes there are", "schema": {"type": "integer"}},
    "X-Shots": {"description": "How many shots they sum to", "schema": {"type": "integer"}},
}
_PROBLEMS = problem_responses(
    "task_not_found",
    "result_not_ready",
    "task_failed",
    "task_cancelled",
    "no_memory",
    "not_acceptable",
    "range_not_satisfiable",
    "invalid_request",
    "database_unavailable",
)
_ARRAY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/{task_id}/counts",
    operation_id="read_counts",
    response_class=Response,
    responses={
        200: {
            "description": "Counts by outcome",
            "headers": _TOTALS,
            "content": {
                JSON: {
                    "schema": {"type": "object", "additionalProperties": {"type": "integer"}},
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
    register: Register = None,
) -> Response:
    """Read the counts of a completed task, and nothing else."""
    refuse_unknown_parameters(request, "top", "format", "register")
    media_type = negotiated(request, MEDIA_TYPES)
    counts = counts_of(await stored_task(request, task_id))
    if register is not None:
        counts = merged(counts, register_view(_existing(register, next(iter(counts), ""))))
    totals = {"X-Outcomes": str(len(counts)), "X-Shots": str(sum(counts.values()))}

    def written() -> bytes:
        chosen = counts if top is None else most_frequent(counts, top)
        show = formatted(key_format)
        return write_counts({show(key): count for key, count in chosen.items()}, media_type)

    return await represented(request, await _aside(written, len(counts)), media_type, totals)


@router.get(
    "/{task_id}/memory",
    operation_id="read_memory",
    response_class=Response,
    responses={
        200: {
            "description": "The outcome of every shot, in order",
            "content": {
                JSON: {"schema": {"type": "array", "items": {"type": "string"}}, "example": ["11", "00", "11"]},
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
    task_id: UUID, request: Request, key_format: Format = KeyFormat.BINARY, register: Register = None
) -> Response:
    """Read the outcome of every shot of a completed task that was submitted with `memory`."""
    refuse_unknown_parameters(request, "format", "register")
    media_type = negotiated(request, MEDIA_TYPES)
    shots = memory_of(await stored_task(request, task_id))
    view = str if register is None else register_view(_existing(register, shots[0]))

    def written() -> bytes:
        as_bits = key_format is KeyFormat.BINARY
        show = formatted(key_format)
        return write_shots([show(view(shot)) for shot in shots], media_type, as_bits=as_bits)

    return await represented(request, await _aside(written, len(shots)), media_type)


def _existing(register: int, key: str) -> int:
    if register < (there := registers_of(key)):
        return register
    text = f"must be less than {there}, the number of registers of this task"
    raise refuse([{"type": "register_unknown", "loc": ("query", "register"), "msg": text}])


async def _aside(write: Callable[[], T], entries: int) -> T:
    return write() if entries <= MOST_WRITTEN_AT_ONCE else await asyncio.to_thread(write)
