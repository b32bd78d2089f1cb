"""What every request must pass before a route answers it: an application-wide dependency."""

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts

from ketline.api.app import ApiOptions, create_app
from ketline.api.responses.errors import HTTPProblem
from ketline.service.services import Services
from tests.fakes import FakeTaskRepository

OPEN = {("GET", "/health"), ("GET", "/livez"), ("GET", "/readyz")}
SOME_ID = "7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"
# Whatever is sent, it is not looked at before the dependency: neither forms nor JSON that is none.
BODIES = [
    {},
    {"content": b"{", "headers": {"Content-Type": "application/json"}},
    {"content": b"%", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
]


@pytest.fixture
def seen() -> list[tuple[str, str]]:
    """The requests that the dependency was asked about."""
    return []


@pytest.fixture
def guarded(services: Services, options: ApiOptions, seen: list[tuple[str, str]]) -> FastAPI:
    """The application with a dependency that refuses every request."""

    async def invalid_request(request: Request) -> None:
        seen.append((request.method, request.url.path))
        raise HTTPProblem("cross_site_refused")

    return create_app(services, options, dependencies=[Depends(invalid_request)])


@pytest.fixture
async def http(guarded: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://ketline.test") as client:
        yield client


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for context in iter_route_contexts(app.router.routes):
        # A mount, a plain route or a WebSocket would need a walk of its own.
        assert isinstance(context.original_route, APIRoute), context.original_route
        assert context.path is not None
        for method in context.methods or ():
            yield method, context.path


def _address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", SOME_ID, path)


@pytest.mark.parametrize("body", BODIES, ids=["empty", "json", "form"])
async def test_dependency_reaches_every_route_but_the_probes(
    guarded: FastAPI, http: httpx.AsyncClient, seen: list[tuple[str, str]], body: dict[str, object]
) -> None:
    routes = set(_routes(guarded))
    answered = {
        (method, path): (await http.request(method, _address(path), **body)).status_code  # type: ignore[arg-type]
        for method, path in routes
    }
    assert {route for route, status in answered.items() if status != 403} == OPEN
    assert sorted(seen) == sorted((method, _address(path)) for method, path in routes - OPEN)


async def test_walk_meets_every_kind_of_route(guarded: FastAPI) -> None:
    """So that a change of the framework that hides routes from the walk is noticed."""
    kinds = {
        ("POST", "/tasks"),
        ("GET", "/tasks/{task_id}"),
        ("GET", "/tasks/events"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/assets/{edition}/{name}"),
        ("GET", "/"),
        ("POST", "/ui/submit"),
        ("GET", "/ui/assets/{edition}/{name}"),
    }
    assert kinds <= set(_routes(guarded))
    described = {(method.upper(), path) for path, methods in guarded.openapi()["paths"].items() for method in methods}
    assert described <= set(_routes(guarded))


async def test_head_is_rejected_as_get_is(
    guarded: FastAPI, http: httpx.AsyncClient, seen: list[tuple[str, str]]
) -> None:
    readable = {path for method, path in _routes(guarded) if method == "GET"} - {path for _, path in OPEN}
    statuses = {(await http.head(_address(path))).status_code for path in readable}
    assert (statuses, len(seen)) == ({403}, len(readable))


async def test_submission_without_dependencies_is_served_without_the_framework(app: FastAPI) -> None:
    """FastAPI's handler would take a good part of a submission's time."""
    [submit] = [
        context.original_route
        for context in iter_route_contexts(app.router.routes)
        if (context.path, context.methods) == ("/tasks", {"POST"})
    ]
    assert isinstance(submit, APIRoute)
    assert submit.get_route_handler() is submit.endpoint


async def test_submission_passes_a_dependency_that_lets_it(
    services: Services, options: ApiOptions, repository: FakeTaskRepository
) -> None:
    passed: list[str] = []

    async def let_pass(request: Request) -> None:
        passed.append(request.url.path)

    app = create_app(services, options, dependencies=[Depends(let_pass)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        answer = await client.post("/tasks", json={"qc": "x"})
    assert (answer.status_code, passed) == (202, ["/tasks"])
    assert [stored.spec.circuit for stored in repository.submissions] == ["x"]
