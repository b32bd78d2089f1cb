"""The preview of a program in the form: its errors, or how it would run, and its circuit.

The page of a task draws its circuit by the same functions.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fastapi import Request

from ketline.api.pages.forms import field_errors, relevant, request_of
from ketline.api.responses.errors import KINDS, HTTPProblem
from ketline.api.services import options_of, principal_of, services_of
from ketline.api.tasks.submission import spec_of
from ketline.api.tasks.task_devices import with_device
from ketline.domain.errors import ExecutionFailed, ProgramTooLarge, ServiceUnavailable
from ketline.domain.failures import FailureCode
from ketline.domain.results.result import WarningCode
from ketline.domain.tasks.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import TaskSpec
from ketline.schemas.submissions import SubmitRequest
from ketline.service.inspection.validation import Validation
from ketline.service.services import Services
from ketline.web.highlight import excerpt
from ketline.web.snippets import form_address, snippets

# Larger programs have no snippets, because they are not copied from a page.
MAX_COPIED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCircuit:
    """A circuit as the URL of an image, or as text, or the reason why it is neither, with its inspection if known."""

    image: str | None = None
    text: str | None = None
    reason: str | None = None
    summary: Inspection | None = None


async def drawn_circuit(services: Services, source: ProgramSource) -> DrawnCircuit:
    """Draw a circuit as an image or, if it is too large, as text.

    Raises:
        ServiceUnavailable: the inspector does not work now.
    """
    try:
        svg = await services.draw.program(source, Drawing.SVG)
        # As an image, an SVG cannot run scripts or load anything.
        return DrawnCircuit(image="data:image/svg+xml;base64," + b64encode(svg.encode()).decode())
    except ProgramTooLarge:
        return await _as_text(services, source)
    except ExecutionFailed as error:
        return DrawnCircuit(reason=error.message)


async def _as_text(services: Services, source: ProgramSource) -> DrawnCircuit:
    try:
        return DrawnCircuit(text=await services.draw.program(source, Drawing.TEXT))
    except ProgramTooLarge as error:
        validation = await services.validate(TaskSpec(circuit=source.circuit, shots=1, inputs=source.inputs))
        return DrawnCircuit(reason=error.message, summary=validation.inspection)
    except ExecutionFailed as error:
        return DrawnCircuit(reason=error.message)


async def preview(request: Request, fields: Mapping[str, str]) -> Mapping[str, object]:
    """The values of the preview template for a form."""
    shown: dict[str, object] = {
        "errors": {},
        "trouble": None,
        "kind": TaskKind.SIMULATE,
        "validation": None,
        "drawing": None,
        "excerpts": [],
        "snippets": [],
        "link": form_address(relevant(fields)),
    }
    if not fields["qc"].strip():
        return shown
    try:
        submission = request_of(fields, options_of(request))
    except HTTPProblem as problem:
        return shown | {"errors": field_errors(problem)}
    if len(fields["qc"]) <= MAX_COPIED:
        shown["snippets"] = snippets(submission, str(request.base_url).rstrip("/"))
    try:
        return {**shown, **await _inspect(request, submission)}
    except ServiceUnavailable as error:
        return shown | {"trouble": KINDS[error.code].detail}


async def _inspect(request: Request, submission: SubmitRequest) -> Mapping[str, object]:
    services = services_of(request)
    source = ProgramSource(circuit=submission.program, inputs=submission.inputs)
    try:
        spec = await with_device(request, spec_of(submission))
    except HTTPProblem as problem:
        return {"errors": field_errors(problem)}
    limited = await services.submit.limited(spec, principal_of(request).owner)
    validation = await _validate(services, limited)
    readable = validation.inspection is not None
    return {
        "kind": submission.kind,
        "validation": validation,
        "excerpts": _excerpts(submission.program, validation),
        "drawing": await drawn_circuit(services, source) if readable else None,
    }


async def _validate(services: Services, spec: TaskSpec) -> Validation:
    """Validate a program as one to simulate; of what is found, other kinds keep what is about the program itself."""
    if spec.kind is TaskKind.SIMULATE:
        return await services.validate(spec)
    program = TaskSpec(circuit=spec.circuit, shots=1, inputs=spec.inputs, options=spec.options)
    validation = await services.validate(replace(program, max_qubits=spec.max_qubits))
    if validation.inspection is None:
        return validation
    about_program = [one for one in validation.diagnostics if one.code in {*WarningCode, FailureCode.QUOTA_EXCEEDED}]
    return replace(validation, diagnostics=about_program)


def _excerpts(program: str, validation: Validation) -> list[object]:
    return [
        None if diagnostic.line is None else excerpt(program, diagnostic.line, diagnostic.column)
        for diagnostic in validation.diagnostics
    ]
