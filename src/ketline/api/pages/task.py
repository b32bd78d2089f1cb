"""The page of one task, which is updated while it is open, and its actions."""

import asyncio
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.forms import read_form
from ketline.api.pages.preview import DrawnCircuit, drawn_circuit
from ketline.api.pages.responses import page, wants_part
from ketline.api.responses.errors import KINDS
from ketline.api.services import actor_of, correlation_id_of, principal_of, services_of
from ketline.api.tasks.changes import require_permitted
from ketline.api.tasks.circuit import at_point
from ketline.api.tasks.output_text import OutputText, chosen_text
from ketline.api.tasks.outputs import outputs_at
from ketline.api.tasks.results import PointIndex, chosen_points
from ketline.api.tasks.stored import large_results, not_found, stored_task, with_result
from ketline.api.tasks.submission import read_trace_context
from ketline.domain.circuits.program_format import ProgramFormat, Target
from ketline.domain.errors import ServiceUnavailable, TaskEnded, TaskNotFound, TaskNotHeld
from ketline.domain.ids import TaskId
from ketline.domain.results.observable import ExpectationValues
from ketline.domain.results.observables import observables_at
from ketline.domain.results.outputs import gives_counts, states_of
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.sweep import number_of_points, points_of
from ketline.domain.tasks.task import Task
from ketline.web.corrected_counts import CorrectedCounts, corrected_counts
from ketline.web.derivative_table import derivative_rows
from ketline.web.highlight import excerpt, listing
from ketline.web.histogram import BarOrder, histogram
from ketline.web.output_table import OutputRow, output_row, output_rows
from ketline.web.timeline import parts, steps

MAX_CELLS = 2000

router = APIRouter(prefix="/ui/tasks", include_in_schema=False)

Order = Annotated[BarOrder, Query()]


@router.get("/{task_id}")
async def show_task(
    task_id: UUID, request: Request, sort: Order = BarOrder.VALUE, point: PointIndex = None
) -> Response:
    """Show the page, or its live part for an open page."""
    task = await stored_task(request, task_id)
    if task.omitted_result_bytes is not None and states_of(task.options.outputs):
        rows = await _rows_of_text(task, request)
        if rows is not None:
            return await _task_page(task, request, sort, point, rows)
    async with with_result(request, task_id) as task:
        return await _task_page(task, request, sort, point)


async def _rows_of_text(task: Task, request: Request) -> Sequence[OutputRow] | None:
    """The outputs of a large result, which is not decoded; None of a sweep, and where the page shows counts as well."""
    if gives_counts(task.options.outputs):
        return None

    def rows(text: str) -> Sequence[OutputRow] | None:
        chosen = chosen_text(text, None)
        if chosen is None or chosen.swept:
            return None
        return [_row_of_text(name, output) for name, output in sorted(chosen.points[0].items())]

    async with large_results(request).turn:
        return await asyncio.to_thread(rows, await services_of(request).reader.result_text(task.task_id))


def _row_of_text(name: str, output: OutputText) -> OutputRow:
    found = output.numbers()
    return output_row(name, found.type, found.qubits, found.numbers, of_pairs=found.of_pairs)


async def _task_page(
    task: Task, request: Request, sort: BarOrder, point: int | None, rows: Sequence[OutputRow] | None = None
) -> Response:
    try:
        original = await services_of(request).catalogue.spec(task.task_id)
    except TaskNotFound as error:
        raise not_found(task.task_id) from error
    waiting = task.status is TaskStatus.PENDING
    position = await services_of(request).catalogue.queue_position(task.task_id) if waiting else None
    template = "task_live.html" if wants_part(request) else "task.html"

    def render() -> Response:
        return page(
            request, template, {**_shown(task, original, position), **_result(task, original, sort, point, rows)}
        )

    # In a thread, because a long program or result takes most of a second.
    return await asyncio.to_thread(render)


@router.get("/{task_id}/circuit")
async def show_circuit(task_id: UUID, request: Request, point: PointIndex = None) -> Response:
    """Draw the circuit for an open page, as an image or as text; for a sweep that of one point, by default the first.

    It has its own route because drawing may take a second.
    """
    services = services_of(request)
    try:
        source = replace(await services.draw.source(TaskId(task_id)), device=None)
        drawing = await drawn_circuit(services, at_point(source, point))
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
    """Cancel the task and show its page; a task that has ended meanwhile is only shown."""
    try:
        await services_of(request).cancel(TaskId(task_id), actor_of(request))
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
            owner=principal_of(request).owner,
        )
    except TaskNotFound as error:
        raise not_found(task_id) from error
    return RedirectResponse(f"../{accepted.task_id}", status_code=303)


def _shown(task: Task, original: TaskSpec, position: QueuePosition | None) -> Mapping[str, object]:
    failure = task.failure
    line, column = (failure.line, failure.column) if failure else (None, None)
    is_text = original.options.format is not ProgramFormat.QPY
    return {
        "task": task,
        # The end of the id, because ids of the same time begin alike.
        "short_id": str(task.task_id)[-8:],
        "source": listing(original.circuit, line=line, column=column) if is_text else None,
        "excerpt": excerpt(original.circuit, line, column) if is_text and line else None,
        **_table(task, original),
        **_output(task),
        "steps": steps(task, datetime.now(UTC)),
        "parts": parts(task),
        "position": position,
        "noise": original.options.noise,
    }


def _output(task: Task) -> Mapping[str, object]:
    """The beginning of a conversion's output if it is text, and its size in bytes."""
    conversion = task.conversion
    if conversion is None:
        return {"output": None, "output_bytes": None}
    if conversion.base64:
        return {"output": None, "output_bytes": len(b64decode(conversion.content))}
    is_openqasm = task.target in (Target.OPENQASM2, Target.OPENQASM3)
    return {
        "output": listing(conversion.content, openqasm=is_openqasm),
        "output_bytes": len(conversion.content.encode()),
    }


def _table(task: Task, original: TaskSpec) -> Mapping[str, object]:
    """The table of expectation values and observables, with a limit on its rows."""
    values = list(_rows(task.expectation_values))
    return {
        "values": values,
        "errors": list(_rows(task.standard_errors)),
        "extrapolated": _scale_factors(task),
        "observables": observables_at(original.options.observables, len(values)) if values else [],
        "point_inputs": _inputs(original),
        "most_rows": max(1, MAX_CELLS // len(values[0])) if values else 0,
        "derivatives": list(islice(derivative_rows(task.gradients, swept=len(values) > 1), MAX_CELLS)),
    }


def _inputs(original: TaskSpec) -> Sequence[Mapping[str, InputValue]]:
    """The inputs of each point of a sweep; empty for other tasks."""
    return [] if number_of_points(original.inputs) is None else list(points_of(original.inputs))


def _scale_factors(task: Task) -> Sequence[str]:
    """The scale factors from which values were extrapolated, of a sweep those of its first point."""
    zne: Any = (task.mitigation or {}).get("zne")
    first = zne[0] if isinstance(zne, list) else zne
    return [f"{factor:g}" for factor in first["scale_factors"]] if first else []


def _rows(found: ExpectationValues | None) -> Iterator[Sequence[float]]:
    """Yield a row of expectation values, or of their errors, for each point; a task without a sweep has one row."""
    for value in (values := found or ()):
        if isinstance(value, Sequence):
            yield value
        else:
            yield [single for single in values if not isinstance(single, Sequence)]
            return


def _result(
    task: Task, original: TaskSpec, sort: BarOrder, point: int | None, rows: Sequence[OutputRow] | None
) -> Mapping[str, object]:
    """The histogram, and the outputs, unless they are given; for a sweep those of one point, by default the first."""
    if task.points is not None:
        point = point or 0
    outputs = outputs_at(task, point)
    shown = {"outputs": rows if outputs is None else output_rows(outputs)}
    if task.counts is None and not (task.points and task.points[0].counts):
        return {**shown, "histogram": None, "corrected": None, "point": point, "sort": sort, "inputs": original.inputs}
    chosen = chosen_points(task, point)
    return {
        **shown,
        "histogram": histogram(chosen.points[0].counts, sort),
        "corrected": _corrected(task, point, sort),
        "point": point,
        "sort": sort,
        "inputs": original.inputs,
    }


def _corrected(task: Task, point: int | None, sort: BarOrder) -> CorrectedCounts | None:
    """The counts without readout errors, of a sweep those of one point; None where they were not corrected."""
    readout: Any = (task.mitigation or {}).get("readout")
    of_point = readout[point or 0] if isinstance(readout, list) else readout
    return None if of_point is None else corrected_counts(of_point, sort)
