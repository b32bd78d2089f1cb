"""Responses with pages, also for problems."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.types import Scope

from ketline.api.responses.errors import CORRELATION_KEY, PROBLEM_KEY, HTTPProblem
from ketline.web.rendering import POLICY, render

PAGES = "/ui"

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
    common = {"version": options.version, "path": _path(request.scope)}
    text = render(template, {**common, **shown}, root=_root(request.scope))
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


def is_of_pages(scope: Scope) -> bool:
    """Whether the request is one for a page, so that problems are shown as pages too."""
    path = _path(scope)
    return path == "/" or path.startswith(PAGES + "/")


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
    """Whether the request is one of htmx, for the live part of an open page."""
    return request.headers.get("hx-request") == "true"


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _root(scope: Scope) -> str:
    """The relative path from this URL to `/`, so that pages work behind a proxy that adds a path prefix."""
    return "../" * (_path(scope).count("/") - 1) or "./"
