"""The form in the header of the pages with which a member of several projects chooses the one to work in."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.forms import field, read_form
from ketline.api.pages.sign_in import local_path
from ketline.api.requests.credentials import SESSION_COOKIE, set_cookie
from ketline.api.responses.errors import HTTPProblem
from ketline.api.rights import RIGHTS
from ketline.api.services import SESSION_KEY, principal_of, services_of
from ketline.domain.access.principals import Principal, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid, ProjectUnknown

router = APIRouter(prefix="/ui", include_in_schema=False)

_LIST = "/ui/tasks"


@router.post("/choose-project")
async def choose_project(request: Request) -> Response:
    """Work in another project from now on, and show the same page of it, or its list of tasks."""
    form = await read_form(request)
    chosen = principal_of(request).within(ProjectName(field(form, "project")))
    if chosen is None:
        raise HTTPProblem(ProjectUnknown.code)
    response = RedirectResponse(f"..{_page_for(chosen.role, field(form, 'next'))}", status_code=303)
    if SESSION_KEY in request.scope:
        await _move_session(request, response, chosen)
    return response


async def _move_session(request: Request, response: Response, chosen: Principal) -> None:
    """Replace the session by one in the chosen project, which ends when it would have ended.

    With a new token the choice counts at once in every process, and a form that was opened in the former project
    is rejected rather than sent to this one.
    """
    services, session = services_of(request), request.scope[SESSION_KEY]
    try:
        token = await services.access.sessions.move(session, chosen)
    except CredentialsInvalid as error:
        raise HTTPProblem(error.code) from error
    services.access.authenticate.forget(session)
    end = chosen.expires_at
    seconds = None if end is None else max(0, int((end - datetime.now(UTC)).total_seconds()))
    set_cookie(request, response, SESSION_COOKIE, token, seconds)


def _page_for(role: Role, wanted: str) -> str:
    """The page that was open if every project has one and the role suffices, else the list of tasks."""
    needed = RIGHTS.get(("GET", wanted)) if wanted == local_path(wanted) else None
    return wanted if needed is not None and role.includes(needed) else _LIST
