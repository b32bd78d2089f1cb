"""Builds responses with pages, also for problems; the routes of pages and the exception handlers call it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.types import Scope

from ketline.api.requests.credentials import csrf_token, is_page_path, session_secret
from ketline.api.responses.errors import CORRELATION_KEY, PROBLEM_KEY, HTTPProblem
from ketline.api.services import PRINCIPAL_KEY, SESSION_KEY
from ketline.domain.access.principals import ANYONE, Principal, Role
from ketline.service.services import Services
from ketline.web.rendering import POLICY, render

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    # A page and its live part have the same URL.
    "Vary": "HX-Request",
}


def page(request: Request, template: str, shown: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    """The response with a page, or with a part of one."""
    options = request.app.state.options
    common = {"version": options.version, "path": _path(request.scope), **_viewer(request)}
    text = render(template, {**common, **shown}, root=_root(request.scope))
    return HTMLResponse(text, status_code=status, headers={**_HEADERS, **_unstored(request)})


def _unstored(request: Request) -> Mapping[str, str]:
    """Header fields for a page of a session: a browser does not show it again after the sign-out.

    The form of a new task may be stored, because a browser that goes back then restores what was typed.
    """
    is_new_form = _path(request.scope) == "/" and "copy" not in request.query_params
    return {} if SESSION_KEY not in request.scope or is_new_form else {"Cache-Control": "no-store"}


def _viewer(request: Request) -> Mapping[str, object]:
    """The user of the page, the role's rights, and the CSRF token of forms if a session was used."""
    services: Services = request.app.state.services
    # There is no sender where the guard requires no credentials.
    principal: Principal | None = request.scope.get(PRINCIPAL_KEY, services.access.authenticate.anyone)
    session: str | None = request.scope.get(SESSION_KEY)

    def may(role: Role) -> bool:
        return principal is not None and principal.role.includes(role)

    return {
        "viewer": None if principal is None or principal == ANYONE else principal,
        "csrf_token": csrf_token(session_secret(session, principal.project)) if session and principal else None,
        "may_submit": may(Role.SUBMITTER),
        "may_operate": may(Role.OPERATOR),
        "may_administer": may(Role.ADMINISTRATOR),
    }


def redirect_to_sign_in(request: Request) -> RedirectResponse:
    """Redirect a browser to the sign-in, from which it returns to this page."""
    query = request.scope["query_string"].decode("ascii", "replace")
    wanted = _path(request.scope) + (f"?{query}" if query else "")
    return RedirectResponse(f"{_root(request.scope)}ui/sign-in?{urlencode({'next': wanted})}", status_code=303)


def wants_page(request: Request) -> bool:
    """Whether a browser requests a whole page, for example because a link was followed."""
    opened = request.scope["method"] == "GET" and "text/html" in request.headers.get("accept", "")
    return opened and not wants_part(request) and is_of_pages(request.scope)


def is_of_pages(scope: Scope) -> bool:
    """Whether the request is for a page, so that problems are shown as pages too."""
    path = _path(scope)
    return path == "/" or is_page_path(path)


def problem_page(request: Request, problem: HTTPProblem) -> HTMLResponse:
    """The page of a problem; its code is stored for the access log as for a problem document."""
    request.scope[PROBLEM_KEY] = problem.kind.code
    response = page(
        request,
        "problem.html",
        {
            "title": problem.kind.title,
            "detail": problem.detail,
            "code": problem.kind.code,
            "correlation_id": request.scope.get(CORRELATION_KEY, ""),
        },
        status=problem.kind.status,
    )
    response.headers.update(problem.headers or {})
    return response


def wants_part(request: Request) -> bool:
    """Whether htmx sent the request, for the live part of an open page."""
    return request.headers.get("hx-request") == "true"


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _root(scope: Scope) -> str:
    """The relative path from this URL to `/`, so that pages work behind a proxy that adds a path prefix."""
    return "../" * (_path(scope).count("/") - 1) or "./"
