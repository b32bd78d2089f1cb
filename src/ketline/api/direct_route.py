"""A route that is in FastAPI's OpenAPI document, but skips FastAPI's request handling for speed."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """A route whose endpoint receives the request directly, unless it has dependencies.

    With dependencies FastAPI handles it like any other route. Add it to the application's router: a route of an
    included router does not know the dependencies that the inclusion adds.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return super().get_route_handler() if self.dependant.dependencies else self.endpoint
