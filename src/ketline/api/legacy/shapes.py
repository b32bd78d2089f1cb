"""The shape of a task in responses, full or plain, and the plain 404. Used by routes and error handlers."""

import re

from fastapi import Request, Response
from starlette.types import Scope

from ketline.api.responses.errors import PROBLEM_KEY
from ketline.api.services import options_of
from ketline.domain.errors import TaskNotFound
from ketline.schemas.legacy import PlainNotFound, ResultShape

READ_TASK = "read_task"
_SHAPE = "shape"
# Source: RFC 7240, section 2; a preference with a value.
_PREFERRED = re.compile(r"(?:^|[,;])\s*shape\s*=\s*\"?(full|plain)\"?\s*(?=$|[,;])", re.IGNORECASE)


def shape_of(request: Request) -> ResultShape:
    """The shape in `?shape=`, otherwise in `Prefer: shape=`, otherwise the default of the service.

    The route rejects an unknown shape in the URL when it reads its parameters. An unknown preference is ignored, as
    RFC 7240 requires.
    """
    requested = request.query_params.get(_SHAPE)
    if requested in set(ResultShape):
        return ResultShape(requested)
    preferred = _PREFERRED.search(",".join(request.headers.getlist("prefer")))
    return options_of(request).result_shape if preferred is None else ResultShape(preferred[1].lower())


def wants_plain_task(request: Request) -> bool:
    """Whether the request reads a task in the plain shape."""
    route = request.scope.get("route")
    return getattr(route, "operation_id", None) == READ_TASK and shape_of(request) is ResultShape.PLAIN


def plain_not_found(scope: Scope) -> Response:
    """The response 404 in the plain shape; stores the code of the problem in the scope for the access log."""
    scope[PROBLEM_KEY] = TaskNotFound.code
    return Response(PlainNotFound().model_dump_json(), 404, media_type="application/json")
