"""The front page: the form of a submission, with its preview."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.forms import (
    blank_fields,
    field_errors,
    fields_of,
    fields_of_spec,
    read_form,
    request_of,
)
from ketline.api.pages.preview import preview
from ketline.api.pages.responses import page, wants_part
from ketline.api.responses.errors import KINDS, PROBLEM_KEY, HTTPProblem
from ketline.api.services import REJECTED_FORM_KEY, options_of, services_of
from ketline.api.tasks.stored import not_found
from ketline.api.tasks.submission import known_spec, submission_of
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.devices.backend import METHODS
from ketline.domain.errors import BacklogFull, ExecutionFailed, QuotaExceeded, ServiceUnavailable, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.kind import TaskKind
from ketline.web.examples import example, examples

router = APIRouter(include_in_schema=False)

_REJECTED = (
    "The task was not submitted: this form was opened before you last signed in or chose a project. "
    "See above who you are now, and submit it again."
)
_KINDS = {
    TaskKind.SIMULATE: "Simulate it",
    TaskKind.CONVERT: "Convert it to another format",
    TaskKind.RUN: "Run it on an external backend",
}
_TARGETS = {
    Target.OPENQASM3: "flat OpenQASM 3",
    Target.OPENQASM2: "OpenQASM 2",
    Target.QPY: "QPY",
    Target.QIR: "QIR",
}


@router.get("/")
async def show_form(request: Request) -> Response:
    """Show the form: new, with an example, with a stored task, or with the fields of a shared URL."""
    return await _form(request, await _fields(request))


@router.get("/ui")
async def redirect_to_form() -> Response:
    """Redirect `/ui` to the form."""
    return RedirectResponse("./", status_code=303)


@router.post("/ui/check")
async def check(request: Request) -> Response:
    """Show the preview: alone for an open page, otherwise in the whole page."""
    fields = fields_of(await read_form(request))
    if wants_part(request):
        return page(request, "preview.html", await preview(request, fields))
    return await _form(request, fields, checked=True)


@router.post("/ui/submit")
async def submit(request: Request) -> Response:
    """Submit the task and show its page; a rejected form is shown again with the reason."""
    fields = fields_of(await read_form(request))
    rejected: HTTPProblem | None = request.scope.get(REJECTED_FORM_KEY)
    if rejected is not None:
        request.scope[PROBLEM_KEY] = rejected.kind.code
        return await _form(request, fields, status=rejected.kind.status, errors={"": _REJECTED})
    try:
        spec = await known_spec(request, request_of(fields, options_of(request)))
        accepted = await services_of(request).submit(submission_of(request, spec))
    except HTTPProblem as problem:
        return await _form(request, fields, status=problem.kind.status, errors=field_errors(problem))
    except QuotaExceeded as error:
        return await _form(request, fields, status=KINDS[error.code].status, errors={"": str(error)})
    except (BacklogFull, ServiceUnavailable) as error:
        kind = KINDS[error.code]
        return await _form(request, fields, status=kind.status, errors={"": f"{kind.title}. {kind.detail}"})
    return RedirectResponse(f"tasks/{accepted.task_id}", status_code=303)


async def _fields(request: Request) -> Mapping[str, str]:
    query = request.query_params
    blank = blank_fields(options_of(request))
    if (name := query.get("example")) is not None:
        picked = example(name)
        return blank if picked is None else {**blank, "qc": picked.program, "name": picked.title}
    if (copied := query.get("copy")) is not None:
        return await _fields_of_task(request, copied)
    return fields_of(query.multi_items()) if "qc" in query else blank


async def _fields_of_task(request: Request, text: str) -> Mapping[str, str]:
    """The fields of a stored task; a circuit in QPY becomes flat OpenQASM 3, with a sweep's first point."""
    try:
        task_id = TaskId(UUID(text))
    except ValueError as error:
        raise HTTPProblem("task_not_found") from error
    try:
        original = await services_of(request).catalogue.spec(task_id)
    except TaskNotFound as error:
        raise not_found(task_id) from error
    if original.options.format is not ProgramFormat.QPY:
        return fields_of_spec(original)
    source = ProgramSource(circuit=original.circuit, inputs=original.inputs, format=ProgramFormat.QPY)
    try:
        program = await services_of(request).draw.program(source, Drawing.FLAT)
    except ExecutionFailed as error:
        detail = f"Task {task_id} is a circuit in QPY that cannot be written as OpenQASM 3: {error.message}."
        raise HTTPProblem("circuit_unreadable", detail) from error
    except ServiceUnavailable as error:
        raise HTTPProblem(error.code) from error
    # The flat program contains the values of its parameters.
    return {**fields_of_spec(original), "qc": program, "inputs": ""}


async def _backends(request: Request, chosen: str) -> Sequence[str]:
    """The external backends, and the chosen one even if no worker has it now or the database is unavailable."""
    try:
        names = await services_of(request).external_backends.names()
    except ServiceUnavailable:
        names = ()
    return sorted({*names, chosen} - {""})


async def _form(
    request: Request,
    fields: Mapping[str, str],
    *,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    checked: bool = False,
) -> Response:
    shown: dict[str, object] = {
        "fields": fields,
        "kinds": _KINDS,
        "targets": _TARGETS,
        "profiles": [(profile.value, profile.value) for profile in QirProfile],
        "backends": [(name, name) for name in await _backends(request, fields["backend"])],
        "field_errors": errors or {},
        "examples": examples(),
        "picked": request.query_params.get("example"),
        "methods": [method.value for method in METHODS],
        "options": options_of(request),
        "checked": checked,
    }
    if checked:
        shown.update(await preview(request, fields))
    # In a thread, because a long program takes most of a second.
    return await asyncio.to_thread(page, request, "submit.html", shown, status=status)
