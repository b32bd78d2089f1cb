"""A route in FastAPI's OpenAPI document that skips FastAPI's request handling, for the speed of `POST /tasks`."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """A route whose dependencies and endpoint receive the request directly; each dependency takes nothing else.

    Add it to the application's router: a route of an included router does not know the dependencies that the inclusion
    adds.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        before: Sequence[Callable[[Request], Awaitable[None]]] = [
            depends.dependency for depends in self.dependencies if depends.dependency is not None
        ]
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            for dependency in before:
                await dependency(request)
            response: Response = await endpoint(request)
            return response

        return handle
