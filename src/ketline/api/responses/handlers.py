"""Exception handlers: every exception of a route becomes a problem document, or a page for a browser."""

from collections.abc import Sequence

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from ketline.api.legacy.shapes import plain_not_found, wants_plain_task
from ketline.api.pages.responses import is_of_pages, problem_page, redirect_to_sign_in, wants_page
from ketline.api.responses.errors import KINDS, HTTPProblem, problem_response
from ketline.api.responses.field_errors import invalid_request
from ketline.api.responses.quotas import quota_problem
from ketline.domain.errors import KetlineError, QuotaExceeded, TaskNotFound

_log = structlog.get_logger()

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_CODE_OF_STATUS = {404: "path_not_found", 405: "method_not_allowed", 413: "body_too_large"}


def install_handlers(app: FastAPI) -> None:
    """Replace the framework's handlers; an exception without a handler becomes status 500 in the middleware."""
    app.add_exception_handler(HTTPProblem, _handle_problem)
    app.add_exception_handler(QuotaExceeded, _handle_quota)
    app.add_exception_handler(KetlineError, _handle_domain_error)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_framework_error)


async def _handle_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPProblem)
    return _response(request, error)


async def _handle_quota(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuotaExceeded)
    return _response(request, quota_problem(error))


async def _handle_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KetlineError)
    if error.code not in KINDS:
        raise error
    # The message may contain hosts and files: log it for the operator, and send the text of the table.
    _log.warning("http.refused", code=error.code, reason=str(error))
    return _response(request, HTTPProblem(error.code))


async def _handle_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _response(request, _malformed_id(request, error) or invalid_request(error.errors()))


def _malformed_id(request: Request, error: RequestValidationError) -> HTTPProblem | None:
    """The problem of a read whose path has no UUID where it names a task: there is no such task. None for others."""
    if request.method != "GET" or all(fault["loc"] != ("path", "task_id") for fault in error.errors()):
        return None
    return HTTPProblem(TaskNotFound.code, "The task was not found: its id is not a UUID.")


async def _handle_framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": _allow(request)})
    headers = {"Allow": _allow(request)} if error.status_code == 405 else None
    code = _CODE_OF_STATUS.get(error.status_code, "bad_request")
    return _response(request, HTTPProblem(code, headers=headers))


def _response(request: Request, problem: HTTPProblem) -> Response:
    if problem.kind.status == 401 and wants_page(request):
        return redirect_to_sign_in(request)
    if is_of_pages(request.scope):
        return problem_page(request, problem)
    if problem.kind.code == TaskNotFound.code and wants_plain_task(request):
        return plain_not_found(request.scope)
    return problem_response(request.scope, problem)


def _allow(request: Request) -> str:
    """The methods of a path, including OPTIONS and, if it has GET, HEAD.

    The framework's list has only the methods of the first route with this path.
    """
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    routes: Sequence[BaseRoute] = request.app.router.routes
    methods = {name for name, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)}
    readable = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted(methods | readable | {"OPTIONS"}))
