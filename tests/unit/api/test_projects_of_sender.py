"""Who is a member of several projects chooses one by a header, and reaches no other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access import Owner, Principal, ProjectName, Role, member
from ketline.domain.errors import IssuerUnavailable
from ketline.runtime import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
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
    app = create_app(replace(services, authenticate=Authenticate([user], SystemClock())), options)
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


async def test_projects_of_others_and_of_nobody_are_refused_alike(http: httpx.AsyncClient) -> None:
    await http.get("/tasks")
    refusals = [
        await http.get("/tasks", headers={"X-Ketline-Project": name}) for name in ("default", "nowhere", "", "PHYSICS")
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in refusals} == {(404, "project_unknown")}
    assert len({answer.json()["detail"] for answer in refusals}) == 1


async def test_issuer_that_is_down_is_503(http: httpx.AsyncClient, user: OneUser) -> None:
    user.down = True
    answer = await http.get("/tasks")
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
