"""Answer with a page, also where a request is refused."""

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
    # A page and the part of it that changes have one address.
    "Vary": "HX-Request",
}


def page(request: Request, template: str, shown: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    """A page, or a part of one."""
    options = request.app.state.options
    here = {"version": options.version, "path": _path(request.scope)}
    text = render(template, {**here, **shown}, root=_root(request.scope))
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


def is_of_pages(scope: Scope) -> bool:
    """Whether who asks is to be answered with a page."""
    path = _path(scope)
    return path == "/" or path.startswith(PAGES + "/")


def refusal_page(request: Request, refusal: HTTPProblem) -> HTMLResponse:
    """A refusal for people; its code goes to the access log as that of a problem document does."""
    request.scope[PROBLEM_KEY] = refusal.kind.code
    answer = page(
        request,
        "refusal.html",
        {
            "title": refusal.kind.title,
            "detail": refusal.detail,
            "code": refusal.kind.code,
            "correlation_id": request.scope.get(CORRELATION_KEY, ""),
        },
        status=refusal.kind.status,
    )
    answer.headers.update(refusal.headers or {})
    return answer


def wants_part(request: Request) -> bool:
    """Whether a page that is open asks for a part of itself."""
    return request.headers.get("hx-request") == "true"


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _root(scope: Scope) -> str:
    """The way from this address to `/`: pages work behind a proxy that serves them below another path."""
    return "../" * (_path(scope).count("/") - 1) or "./"
