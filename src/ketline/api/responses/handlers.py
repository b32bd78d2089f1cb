"""Answer every exception that leaves a route with a problem document."""

from collections.abc import Sequence

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from ketline.api.pages.answers import is_of_pages, refusal_page
from ketline.api.responses.errors import KINDS, HTTPProblem, problem_response
from ketline.api.responses.field_errors import invalid_request
from ketline.domain.errors import KetlineError

_log = structlog.get_logger()

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_CODE_OF_STATUS = {404: "path_not_found", 405: "method_not_allowed", 413: "body_too_large"}


def install_handlers(app: FastAPI) -> None:
    """Leave no error to the framework's own texts; what has no handler here is the middleware's 500."""
    app.add_exception_handler(HTTPProblem, _answer_refusal)
    app.add_exception_handler(KetlineError, _answer_domain_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_framework)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPProblem)
    return _refused(request, error)


async def _answer_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KetlineError)
    if error.code not in KINDS:
        raise error
    # The message may name hosts and files: it is for the operator, the client gets the table's text.
    _log.warning("http.refused", code=error.code, reason=str(error))
    return _refused(request, HTTPProblem(error.code))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _refused(request, invalid_request(error.errors()))


async def _answer_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": _allow(request)})
    headers = {"Allow": _allow(request)} if error.status_code == 405 else None
    code = _CODE_OF_STATUS.get(error.status_code, "bad_request")
    return _refused(request, HTTPProblem(code, headers=headers))


def _refused(request: Request, refusal: HTTPProblem) -> Response:
    if is_of_pages(request.scope):
        return refusal_page(request, refusal)
    return problem_response(request.scope, refusal)


def _allow(request: Request) -> str:
    """The methods of a path, with those that every path, or every readable one, answers.

    The framework's own list has only those of the first route that has the path.
    """
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    routes: Sequence[BaseRoute] = request.app.router.routes
    methods = {name for name, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)}
    readable = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted(methods | readable | {"OPTIONS"}))
