"""The page of the audit log, for administrators."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from ketline.api.access.audit import find_entries
from ketline.api.pages.responses import page
from ketline.schemas.audit import AuditParameters

router = APIRouter(include_in_schema=False)


@router.get("/ui/audit")
async def show_audit(parameters: Annotated[AuditParameters, Query()], request: Request) -> Response:
    """Show who did what to what, when and from where, the newest first."""
    found = await find_entries(request, parameters)
    project = {} if parameters.project is None else {"project": parameters.project}
    shown = {
        "entries": found.entries,
        "project": parameters.project,
        "first": None if parameters.cursor is None else urlencode(project),
        "next": None if found.next is None else urlencode({**project, "cursor": found.next}),
    }
    return page(request, "audit.html", shown)
