"""The route that validates a program, `POST /validate`."""

from fastapi import APIRouter, Request

from ketline.api.openapi import SUBMIT_BODY, problem_responses
from ketline.api.services import options_of, principal_of, services_of
from ketline.api.tasks.submission import read_spec
from ketline.api.tasks.views import view_placement
from ketline.domain.tasks.inspection import Diagnostic
from ketline.schemas.inspection import DiagnosticView, ValidationView
from ketline.service.inspection.validation import Validation

router = APIRouter(tags=["tasks"])


@router.post(
    "/validate",
    operation_id="validate_program",
    response_model_exclude_none=True,
    responses=problem_responses(
        "program_too_large",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        "invalid_json",
        "qpy_invalid",
        "qpy_version_unsupported",
        "device_unknown",
        "inspector_busy",
        "service_unavailable",
        "database_unavailable",
    ),
    openapi_extra={"requestBody": SUBMIT_BODY},
)
async def validate_program(request: Request) -> ValidationView:
    """Validate a program, with the body of a submission: its errors and their positions, or how it would be simulated,
    within the quotas of the sender. Nothing is stored or run."""
    services, spec = services_of(request), await read_spec(request, options_of(request))
    return _view(await services.validate(await services.submit.limited(spec, principal_of(request).owner)))


def _view(validation: Validation) -> ValidationView:
    view = ValidationView(valid=validation.valid, diagnostics=list(map(_view_diagnostic, validation.diagnostics)))
    inspection = validation.inspection
    if inspection is None:
        return view
    known = {
        "tier": inspection.tier,
        "qubits": inspection.qubits,
        "depth": inspection.depth,
        "operations": dict(inspection.operations),
        "method": inspection.method,
        "method_reason": inspection.method_reason,
        "memory_bytes": inspection.memory_bytes,
        "estimated_seconds": inspection.estimated_seconds,
        "placement": view_placement(inspection.placement),
    }
    return view.model_copy(update=known)


def _view_diagnostic(diagnostic: Diagnostic) -> DiagnosticView:
    return DiagnosticView(
        severity=diagnostic.severity,
        code=diagnostic.code,
        message=diagnostic.message,
        line=diagnostic.line,
        column=diagnostic.column,
    )
