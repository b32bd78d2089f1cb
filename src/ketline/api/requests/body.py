"""Reads JSON bodies of requests into their shapes, for the routes that parse their bodies themselves."""

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers

from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_body

Model = TypeVar("Model", bound=BaseModel)


async def read_body(request: Request, shape: type[Model], *, optional: bool = False) -> Model:
    """The body of a request; with `optional`, an empty one is the shape without any field.

    Raises:
        HTTPProblem: the body is not JSON of this shape.
    """
    try:
        return await parse_body(request, shape, optional=optional)
    except ValidationError as error:
        raise invalid_body(error) from error


async def parse_body(request: Request, shape: type[Model], *, optional: bool = False) -> Model:
    """As `read_body`, for a caller that has a problem of its own for a wrong field.

    Raises:
        HTTPProblem: the body is not declared as JSON.
        ValidationError: it is not JSON of this shape.
    """
    body = await request.body()
    if optional and not body:
        return shape()
    require_json(request.headers, body)
    return shape.model_validate_json(body)


def require_json(headers: Headers, body: bytes) -> None:
    """Raise a problem for a body that is not declared as JSON, or is compressed."""
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if not media_type and not body:
        # An empty body has no type; the parser reports that it is missing.
        return
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json or headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPProblem("unsupported_media_type")
