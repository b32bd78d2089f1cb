"""Requests that name another host than this service are rejected: that is how DNS rebinding shows."""

import httpx
import pytest
from fastapi import FastAPI

from ketline.api.requests.hosts import HostRule
from tests.fakes import FakeTaskRepository

ROUTES = ["/", "/ui/tasks", "/tasks", "/tasks/events", "/docs", "/openapi.json", "/workers", "/nothing"]


@pytest.mark.parametrize(
    ("configured", "bound", "host", "allowed"),
    [
        ([], "127.0.0.1", "localhost:8000", True),
        ([], "127.0.0.1", "LOCALHOST.", True),
        ([], "127.0.0.1", "127.0.0.1", True),
        ([], "127.0.0.1", "[::1]:8000", True),
        ([], "127.0.0.1", "evil.example", False),
        ([], "127.0.0.1", "127.0.0.1.evil.example:8000", False),
        ([], "127.0.0.1", "localhost.evil.example", False),
        ([], "127.0.0.1", "evil.example:localhost", False),
        ([], "127.0.0.1", "192.168.1.7", False),
        ([], "127.0.0.1", "", False),
        ([], "192.168.1.7", "192.168.1.7:8000", True),
        ([], "quantum.lan", "quantum.lan", True),
        ([], "0.0.0.0", "10.1.2.3:8000", True),
        ([], "0.0.0.0", "[2001:db8::7]:8000", True),
        ([], "::", "10.1.2.3", True),
        ([], "0.0.0.0", "evil.example", False),
        ([], "0.0.0.0", "10.1.2.3.evil.example", False),
        (["api"], "0.0.0.0", "api:8000", True),
        (["Quantum.example.org"], "127.0.0.1", "quantum.example.org", True),
        (["2001:db8::7"], "127.0.0.1", "[2001:db8::7]", True),
        (["*.example.org"], "127.0.0.1", "quantum.example.org:443", True),
        (["*.example.org"], "127.0.0.1", "example.org", False),
        (["*.example.org"], "127.0.0.1", "badexample.org", False),
        (["*"], "127.0.0.1", "evil.example", True),
    ],
)
def test_names_of_the_service(configured: list[str], bound: str, host: str, allowed: bool) -> None:
    assert HostRule.of(configured, bound).allows(host) is allowed


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_rejects_another_name(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (421, "host_not_allowed")
    assert "KETLINE_ALLOWED_HOSTS" in response.json()["detail"]


async def test_page_of_a_rebound_name_changes_nothing(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    headers = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/tasks", json={"qc": "x"}, headers=headers)).status_code == 421
    assert (await client.post("/ui/submit", data={"qc": "x"}, headers=headers)).status_code == 421
    assert repository.submissions == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
async def test_probes_may_use_any_address(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"Host": "10.244.0.17:8000"})).status_code == 200


async def test_two_names_in_one_request_are_rejected(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test") as client:
        request = httpx.Request(
            "GET", "http://ketline.test/tasks", headers=[("Host", "ketline.test"), ("Host", "evil.example")]
        )
        response = await client.send(request)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
