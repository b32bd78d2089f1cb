"""The rate of requests of each key, and the header fields about it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.principals import ANYONE, Owner, Principal
from ketline.domain.access.rate_limits import parse_rate_limits
from ketline.rate_limiter import MemoryRateLimiter
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.api_services import with_access


class Keys:
    """Every token is a key of its own."""

    def takes(self, token: str) -> bool:
        return True

    async def __call__(self, token: str) -> Principal:
        return replace(ANYONE, key_id=token, owner=Owner("ada"))


@pytest.fixture
async def limited(services: Services, options: ApiOptions) -> AsyncIterator[httpx.AsyncClient]:
    limiter = MemoryRateLimiter(parse_rate_limits("3/hour, 1000/second"))
    authenticate = Authenticate([Keys()], SystemClock())
    app = create_app(with_access(services, authenticate=authenticate, rate_limiter=limiter), options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ketline.test") as client:
        yield client


def _key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def test_each_key_may_send_so_many_requests(limited: httpx.AsyncClient) -> None:
    body = {"qc": "OPENQASM 3.0;"}
    responses = [await limited.post("/tasks", json=body, headers=_key("one")) for _ in range(4)]
    assert [response.status_code for response in responses] == [202, 202, 202, 429]
    assert responses[0].headers["ratelimit-policy"] == '"second";q=1000;w=1, "hour";q=3;w=3600'
    assert [response.headers["ratelimit"].partition('"hour";')[2][:4] for response in responses] == [
        "r=2;",
        "r=1;",
        "r=0;",
        "r=0;",
    ]
    rejected = responses[-1]
    assert (rejected.json()["code"], rejected.headers["content-type"]) == ("rate_limited", "application/problem+json")
    assert 0 < int(rejected.headers["retry-after"]) <= 3600
    assert (await limited.get("/tasks", headers=_key("two"))).status_code == 200


async def test_request_for_a_project_of_others_is_counted(limited: httpx.AsyncClient) -> None:
    elsewhere = {**_key("one"), "X-Ketline-Project": "elsewhere"}
    responses = [await limited.get("/tasks", headers=elsewhere) for _ in range(4)]
    assert [response.status_code for response in responses] == [404, 404, 404, 429]
    assert "ratelimit" in responses[0].headers


async def test_probes_and_files_are_not_limited(limited: httpx.AsyncClient) -> None:
    responses = [await limited.get("/livez", headers=_key("one")) for _ in range(9)]
    assert {response.status_code for response in responses} == {200}
    assert "ratelimit" not in responses[0].headers


async def test_without_limits_there_are_no_fields(client: httpx.AsyncClient) -> None:
    assert not {"ratelimit", "ratelimit-policy"} & set((await client.get("/tasks")).headers)


@pytest.mark.parametrize("text", ["20", "0/second", "1/day", "1/second, 2/second", "-1/hour", "1/second; 2/hour"])
def test_impossible_rate_limit_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="20/second"):
        parse_rate_limits(text)
