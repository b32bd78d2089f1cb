"""The page of one task, kept up to date while it is open, and what can be done with it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.answers import page, wants_part
from ketline.api.pages.forms import read_form
from ketline.api.pages.preview import DrawnCircuit, drawn_circuit
from ketline.api.responses.errors import KINDS
from ketline.api.services import correlation_id_of, services_of
from ketline.api.tasks.changes import require_permitted
from ketline.api.tasks.circuit import at_point
from ketline.api.tasks.results import Place, chosen_points
from ketline.api.tasks.stored import not_found, with_result
from ketline.api.tasks.submission import read_trace_context
from ketline.domain.errors import ServiceUnavailable, TaskEnded, TaskNotFound, TaskNotHeld
from ketline.domain.observables import observables_at
from ketline.domain.priority import QueuePosition
from ketline.domain.spec import InputValue, ProgramFormat, TaskSpec
from ketline.domain.sweep import number_of_points, points_of
from ketline.domain.task import Task, TaskId, TaskStatus
from ketline.web.highlight import excerpt, listing
from ketline.web.histogram import BarOrder, histogram
from ketline.web.timeline import parts, steps

MOST_CELLS = 2000

router = APIRouter(prefix="/ui/tasks", include_in_schema=False)

Order = Annotated[BarOrder, Query()]


@router.get("/{task_id}")
async def show_task(task_id: UUID, request: Request, sort: Order = BarOrder.VALUE, point: Place = None) -> Response:
    """The whole page, or what of it changes while it is open."""
    async with with_result(request, task_id) as task:
        return await _task_page(task, request, sort, point)


async def _task_page(task: Task, request: Request, sort: BarOrder, point: int | None) -> Response:
    try:
        original = await services_of(request).catalogue.spec(task.task_id)
    except TaskNotFound as error:
        raise not_found(task.task_id) from error
    waiting = task.status is TaskStatus.PENDING
    place = await services_of(request).catalogue.queue_position(task.task_id) if waiting else None
    template = "task_live.html" if wants_part(request) else "task.html"

    def written() -> Response:
        return page(request, template, {**_shown(task, original, place), **_result(task, original, sort, point)})

    # A long program or result takes a good part of a second: the event loop stays free.
    return await asyncio.to_thread(written)


@router.get("/{task_id}/circuit")
async def show_circuit(task_id: UUID, request: Request, point: Place = None) -> Response:
    """The circuit, for a page to put in: drawn, which may take a second, in the largest form that holds it.

    Of a sweep it is that of a point, the first unless another is asked for.
    """
    services = services_of(request)
    try:
        drawing = await drawn_circuit(services, at_point(await services.draw.source(TaskId(task_id)), point))
    except TaskNotFound as error:
        raise not_found(task_id) from error
    except ServiceUnavailable as error:
        drawing = DrawnCircuit(reason=KINDS[error.code].detail)
    return page(request, "circuit.html", {"drawing": drawing})


@router.post("/{task_id}/enqueue")
async def enqueue(task_id: UUID, request: Request) -> Response:
    """Release a held task; where it was cancelled meanwhile its page says so."""
    try:
        await services_of(request).enqueue(TaskId(task_id))
    except TaskNotFound as error:
        raise not_found(task_id) from error
    except (TaskEnded, TaskNotHeld):
        pass
    return RedirectResponse(f"../{task_id}", status_code=303)


@router.post("/{task_id}/cancel")
async def cancel(task_id: UUID, request: Request) -> Response:
    """Cancel the task; where it has ended meanwhile its page says so."""
    try:
        await services_of(request).submissions.cancel(TaskId(task_id))
    except TaskNotFound as error:
        raise not_found(task_id) from error
    except TaskEnded:
        pass
    return RedirectResponse(f"../{task_id}", status_code=303)


@router.post("/{task_id}/rerun")
async def rerun(task_id: UUID, request: Request) -> Response:
    """Run the program again, with the same seed or a new one, and show the new task."""
    new_seed = ("seed", "new") in await read_form(request)
    try:
        accepted = await services_of(request).rerun(
            TaskId(task_id),
            correlation_id=correlation_id_of(request),
            permit=lambda submission: require_permitted(request, submission),
            new_seed=new_seed,
            trace_context=read_trace_context(request),
        )
    except TaskNotFound as error:
        raise not_found(task_id) from error
    return RedirectResponse(f"../{accepted.task_id}", status_code=303)


def _shown(task: Task, original: TaskSpec, place: QueuePosition | None) -> Mapping[str, object]:
    failure = task.failure
    line, column = (failure.line, failure.column) if failure else (None, None)
    is_text = original.options.format is not ProgramFormat.QPY
    return {
        "task": task,
        # Ids begin with the time, which many have in common.
        "short_id": str(task.task_id)[-8:],
        "source": listing(original.circuit, line=line, column=column) if is_text else None,
        "excerpt": excerpt(original.circuit, line, column) if is_text and line else None,
        **_table(task, original),
        "steps": steps(task, datetime.now(UTC)),
        "parts": parts(task),
        "place": place,
    }


def _table(task: Task, original: TaskSpec) -> Mapping[str, object]:
    """Expectation values with their observables, in as many rows as a page can hold."""
    values = list(_values(task))
    return {
        "values": values,
        "observables": observables_at(original.options.observables, len(values)) if values else [],
        "point_inputs": _inputs(original),
        "most_rows": max(1, MOST_CELLS // len(values[0])) if values else 0,
    }


def _inputs(original: TaskSpec) -> Sequence[Mapping[str, InputValue]]:
    """The inputs of each point of a sweep; none where the task is no sweep."""
    return [] if number_of_points(original.inputs) is None else list(points_of(original.inputs))


def _values(task: Task) -> Iterator[Sequence[float]]:
    """Expectation values, a row for each point of a sweep or for the one that every other task is."""
    for value in (values := task.expectation_values or ()):
        if isinstance(value, Sequence):
            yield value
        else:
            yield [one for one in values if not isinstance(one, Sequence)]
            return


def _result(task: Task, original: TaskSpec, sort: BarOrder, place: int | None) -> Mapping[str, object]:
    """The histogram: of a sweep that of one point, the first unless another is asked for."""
    if task.counts is None and task.points is None:
        return {"histogram": None, "point": None, "sort": sort, "inputs": original.inputs}
    if task.points is not None:
        place = place or 0
    chosen = chosen_points(task, place)
    return {
        "histogram": histogram(chosen.points[0].counts, sort),
        "point": place,
        "sort": sort,
        "inputs": original.inputs,
    }
