"""What every request must pass before a route answers it: the guard, and the table of rights."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from ketline.api.app import ApiOptions, create_app
from ketline.api.guard import require_rights
from ketline.api.rights import PUBLIC, RIGHTS
from ketline.domain.access.principals import Owner, Principal, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid, DatabaseUnavailable
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.api_services import with_access
from tests.fakes import FakeTaskRepository

SPEC = Path(__file__).parents[3] / "specs" / "access.md"
SOME_ID = "7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"
# Whatever is sent, it is not looked at before the guard: neither forms nor JSON that is none.
BODIES = [
    {},
    {"content": b"{", "headers": {"Content-Type": "application/json"}},
    {"content": b"%", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
]


class Names:
    """Tokens that are names of roles; it is down while the token says so."""

    def takes(self, token: str) -> bool:
        return True

    async def __call__(self, token: str) -> Principal:
        if token == "down":
            raise DatabaseUnavailable("no database")
        if token not in set(Role):
            raise CredentialsInvalid("nobody")
        return Principal(role=Role(token), project=ProjectName("p"), owner=Owner(token))


@pytest.fixture
def guarded(services: Services, options: ApiOptions) -> FastAPI:
    """The application for those who have a role."""
    return create_app(with_access(services, authenticate=Authenticate([Names()], SystemClock())), options)


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


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("body", BODIES, ids=["empty", "json", "form"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (_bearer("stranger"), 401), ({"Authorization": "Basic cmVhZGVyOg=="}, 401), (_bearer("down"), 503)],
    ids=["nobody", "stranger", "other scheme", "unknown for now"],
)
async def test_guard_is_before_every_route(
    guarded: FastAPI, http: httpx.AsyncClient, body: dict[str, object], headers: dict[str, str], status: int
) -> None:
    answered = {}
    for method, path in _routes(guarded):
        sent = {**headers, **body.get("headers", {})}  # type: ignore[dict-item]
        response = await http.request(method, _address(path), content=body.get("content"), headers=sent)  # type: ignore[arg-type]
        answered[method, path] = response.status_code
    public = {route for route, role in RIGHTS.items() if role is PUBLIC}
    assert {route for route, found in answered.items() if found != status} == public


@pytest.mark.parametrize("role", Role)
async def test_role_reaches_what_the_table_says(guarded: FastAPI, http: httpx.AsyncClient, role: Role) -> None:
    rejected = set()
    for method, path in set(_routes(guarded)) - {("GET", "/tasks/events")}:
        response = await http.request(method, _address(path), headers=_bearer(role))
        assert response.status_code != 401
        if response.status_code == 403:
            rejected.add((method, path))
    assert rejected == {route for route, needed in RIGHTS.items() if needed is not None and not role.includes(needed)}


def test_spec_has_the_table_of_rights() -> None:
    rows = re.findall(r"^\| `([A-Z]+) (/\S*)` \| (\w+) \|$", SPEC.read_text(), re.MULTILINE)
    roles = {(method, path): None if role == "everyone" else Role(role) for method, path, role in rows}
    assert roles == RIGHTS
    assert len(rows) == len(RIGHTS)


def test_application_with_a_route_outside_the_table_is_not_built(app: FastAPI) -> None:
    async def leak() -> None: ...

    app.add_api_route("/leak", leak)
    with pytest.raises(LookupError, match="/leak"):
        require_rights(app.routes)


async def test_rejections_say_what_to_do(http: httpx.AsyncClient) -> None:
    nobody = await http.get("/tasks")
    assert (nobody.json()["code"], nobody.headers["www-authenticate"]) == ("credentials_missing", "Bearer")
    stranger = await http.get("/tasks", headers=_bearer("secret-of-a-stranger"))
    assert (stranger.json()["code"], "secret-of-a-stranger" in stranger.text) == ("credentials_invalid", False)
    assert stranger.headers["www-authenticate"].startswith("Bearer")
    reader = await http.post("/tasks", json={"qc": "x"}, headers=_bearer("reader"))
    assert reader.json()["code"] == "role_insufficient"
    assert "submitter" in reader.json()["detail"]


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


async def test_head_is_rejected_as_get_is(http: httpx.AsyncClient) -> None:
    readable = [path for (method, path), role in RIGHTS.items() if method == "GET" and role is not PUBLIC]
    assert {(await http.head(_address(path))).status_code for path in readable} == {401}


async def test_submission_passes_the_guard_without_the_framework(
    guarded: FastAPI, http: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    """FastAPI's handler would take a good part of a submission's time."""
    [submit] = [
        context.original_route
        for context in iter_route_contexts(guarded.router.routes)
        if (context.path, context.methods) == ("/tasks", {"POST"})
    ]
    assert isinstance(submit, APIRoute)
    assert submit.get_route_handler().__module__ == "ketline.api.direct_route"
    response = await http.post("/tasks", json={"qc": "x"}, headers=_bearer("submitter"))
    assert response.status_code == 202
    assert [stored.spec.circuit for stored in repository.submissions] == ["x"]


async def test_tasks_belong_to_who_submitted_them_in_any_way(
    http: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    first = (await http.post("/tasks", json={"qc": "x"}, headers=_bearer("submitter"))).json()["task_id"]
    await http.post(f"/tasks/{first}/rerun", headers=_bearer("operator"))
    await http.post(f"/ui/tasks/{first}/rerun", data={"seed": "new"}, headers=_bearer("operator"))
    data = {"action": "rerun", "confirmed": "yes", "task": first}
    await http.post("/ui/bulk", data=data, headers=_bearer("administrator"))
    owners = [one.owner for one in repository.submissions]
    assert owners == ["submitter", "operator", "operator", "administrator"]
