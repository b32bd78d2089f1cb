"""Who is a member of several projects chooses one by a header, and reaches no other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from ketline.api.app import ApiOptions, create_app
from ketline.api.rights import PUBLIC, RIGHTS
from ketline.cli.server.serve import application
from ketline.config import Settings
from ketline.domain.access.principals import Owner, Principal, ProjectName, Role, member
from ketline.domain.errors import IssuerUnavailable
from ketline.runtime.clock import SystemClock
from ketline.schemas.legacy import ResultShape
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.api_services import with_access
from tests.fakes import FakeTaskRepository

BEARER = {"Authorization": "Bearer a.b.c"}


class OneUser:
    """Every token is that of a user of two projects, as soon as the issuer responds."""

    down = False

    def takes(self, token: str) -> bool:
        return True

    async def __call__(self, token: str) -> Principal:
        if self.down:
            raise IssuerUnavailable("down")
        roles = {ProjectName("physics"): Role.SUBMITTER, ProjectName("chemistry"): Role.READER}
        return member(roles, owner=Owner("ada"), expires_at=datetime.now(UTC) + timedelta(hours=1))


@pytest.fixture
def user() -> OneUser:
    return OneUser()


@pytest.fixture
async def http(services: Services, options: ApiOptions, user: OneUser) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(with_access(services, authenticate=Authenticate([user], SystemClock())), options)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test", headers=BEARER) as client:
        yield client


async def test_first_project_counts_unless_another_is_named(
    http: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    for headers, status in (
        ({}, 403),
        ({"X-Ketline-Project": "chemistry"}, 403),
        ({"x-ketline-project": "physics"}, 202),
    ):
        assert (await http.post("/tasks", json={"qc": "x"}, headers=headers)).status_code == status
    assert len(repository.submissions) == 1
    assert (await http.get("/whoami", headers={"X-Ketline-Project": "physics"})).json()["project"] == "physics"


async def test_projects_of_others_and_of_nobody_are_rejected_alike(http: httpx.AsyncClient) -> None:
    await http.get("/tasks")
    rejections = [
        await http.get("/tasks", headers={"X-Ketline-Project": name}) for name in ("default", "nowhere", "", "PHYSICS")
    ]
    assert {(response.status_code, response.json()["code"]) for response in rejections} == {(404, "project_unknown")}
    assert len({response.json()["detail"] for response in rejections}) == 1


OIDC = {
    "oidc_issuer": "https://issuer.example",
    "oidc_audience": "ketline",
    "oidc_groups": "physicists=physics:submitter",
}


@pytest.mark.parametrize("result_shape", list(ResultShape))
@pytest.mark.parametrize(("auth", "given"), [("off", {}), ("keys", {}), ("oidc", OIDC), ("keys,oidc", OIDC)])
async def test_openapi_has_the_header_where_it_chooses(
    services: Services, auth: str, given: dict[str, Any], result_shape: ResultShape
) -> None:
    app = application(Settings(auth=auth, result_shape=result_shape, **given), services, asyncio.Event())
    app.openapi()
    document = app.openapi()
    validate(document)
    choosing, rejecting = set(), set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            headers = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "header"]
            rejected = operation["responses"].get("404", {}).get("content", {}).get("application/problem+json", {})
            if headers.count("X-Ketline-Project") == 1:
                choosing.add((method.upper(), path))
                if "project_unknown" in rejected["examples"]:
                    rejecting.add((method.upper(), path))
    described = {
        (method, path) for method, path in RIGHTS if method.lower() in document["paths"].get(path, {}) and given
    }
    assert choosing == rejecting == {one for one in described if RIGHTS[one] is not PUBLIC}


async def test_issuer_that_is_down_is_503(http: httpx.AsyncClient, user: OneUser) -> None:
    user.down = True
    response = await http.get("/tasks")
    assert (response.status_code, response.json()["code"]) == (503, "issuer_unavailable")
