"""The route of the audit log, `GET /audit`, for administrators."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.services import services_of
from ketline.domain.access.audit import AuditEntry, AuditPage
from ketline.domain.access.principals import ProjectName
from ketline.schemas.audit import AuditEntryView, AuditList, AuditParameters

router = APIRouter(prefix="/audit", tags=["access"])


@router.get(
    "",
    operation_id="read_audit",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def read_audit(
    parameters: Annotated[AuditParameters, Query()], request: Request, response: Response
) -> AuditList:
    """Read who did what to what, when and from where, in all projects or in one, the newest first."""
    page = await find_entries(request, parameters)
    response.headers["Cache-Control"] = "no-store"
    following = None if page.next is None else _next(request, page.next)
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return AuditList(entries=[_view(entry) for entry in page.entries], next=following)


async def find_entries(request: Request, parameters: AuditParameters) -> AuditPage:
    """The entries of a page of the audit log.

    Raises:
        DatabaseUnavailable: they could not be read.
    """
    project = None if parameters.project is None else ProjectName(parameters.project)
    return await services_of(request).access.audit.find(project, parameters.cursor, parameters.limit)


def _next(request: Request, number: int) -> str:
    kept = [item for item in request.query_params.multi_items() if item[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', number)])}"


def _view(entry: AuditEntry) -> AuditEntryView:
    record, actor = entry.record, entry.record.actor
    return AuditEntryView(
        number=entry.number,
        at=entry.at,
        action=record.action,
        project=record.project,
        target=record.target,
        owner=actor.owner,
        key_id=actor.key_id,
        origin=actor.origin,
        notes=record.notes,
    )
