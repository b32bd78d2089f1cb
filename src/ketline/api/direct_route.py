"""A route that FastAPI describes and does not serve."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """A described route whose endpoint takes the request and answers it without FastAPI's part.

    Only while it has no dependencies: with one, FastAPI serves it like any other route. Add it to the application's own
    router; a route of an included router does not know the dependencies that the inclusion adds.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return super().get_route_handler() if self.dependant.dependencies else self.endpoint
