"""`GET /metrics`: who may read it, and what requests are counted as."""

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.api.metrics import create_metrics_app
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, Principal, ProjectName, Role
from ketline.domain.access.quotas import ProjectQuotas, Quota
from ketline.domain.errors import CredentialsInvalid, QuotaExhausted
from ketline.runtime.clock import SystemClock
from ketline.service.access.authentication import Authenticate
from ketline.service.services import Services
from tests.actors import TESTER
from tests.api_services import with_access
from tests.exposition import Series, parsed, total, value
from tests.fakes import FakeTaskRepository

PROGRAM = {"qc": 'OPENQASM 3.0; include "stdgates.inc"; qubit q; bit c; h q; c = measure q;'}


async def scraped(client: httpx.AsyncClient) -> Series:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    return parsed(response.text)


async def test_request_is_counted_by_route_and_status(client: httpx.AsyncClient) -> None:
    accepted = await client.post("/tasks", json=PROGRAM)
    task_id = accepted.json()["task_id"]
    for _ in range(2):
        await client.get(f"/tasks/{task_id}")
    await client.get("/tasks/7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b")
    found = await scraped(client)
    name = "ketline_http_requests_total"
    assert value(found, name, method="POST", route="/tasks", status="202") == 1
    assert value(found, name, method="GET", route="/tasks/{task_id}", status="200") == 2
    assert value(found, name, method="GET", route="/tasks/{task_id}", status="404") == 1
    duration = "ketline_http_request_duration_seconds_count"
    assert value(found, duration, method="GET", route="/tasks/{task_id}") == 3
    assert value(found, "ketline_http_problems_total", code="task_not_found") == 1
    assert value(found, "ketline_tasks_submitted_total", kind="simulate") == 1


async def test_what_clients_write_makes_no_series(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await client.get(f"/nothing/{number}")
        await client.request(f"BREW{number}", "/tasks")
    found = await scraped(client)
    requests = {labels for name, labels in found if name == "ketline_http_requests_total"}
    assert {dict(labels)["route"] for labels in requests} <= {"other", "/tasks", "/metrics"}
    assert {dict(labels)["method"] for labels in requests} <= {"GET", "other"}
    assert total(found, "ketline_http_problems_total", code="path_not_found") == 3


async def test_head_is_counted_as_such(client: httpx.AsyncClient) -> None:
    await client.head("/livez")
    found = await scraped(client)
    assert value(found, "ketline_http_requests_total", method="HEAD", route="/livez", status="200") == 1


async def test_cancellation_is_counted_once(client: httpx.AsyncClient) -> None:
    task_id = (await client.post("/tasks", json=PROGRAM)).json()["task_id"]
    assert [(await client.post(f"/tasks/{task_id}/cancel")).status_code for _ in range(2)] == [200, 409]
    found = await scraped(client)
    assert value(found, "ketline_tasks_ended_total", status="cancelled", cause="") == 1


async def test_repeated_submission_is_counted_once(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.post("/tasks", json=PROGRAM, headers={"Idempotency-Key": "once"})
    assert value(await scraped(client), "ketline_tasks_submitted_total", kind="simulate") == 1


async def test_rejection_by_a_quota_is_counted_by_its_name(
    client: httpx.AsyncClient, services: Services, repository: FakeTaskRepository
) -> None:
    quotas = ProjectQuotas(project={Quota.PRIORITY: 0}, owner={})
    task_id = (await client.post("/tasks", json=PROGRAM)).json()["task_id"]
    await services.access.projects.change(DEFAULT_PROJECT, quotas=quotas, actor=TESTER)
    await services.submit.quotas.refresh()
    assert (await client.patch(f"/tasks/{task_id}", json={"priority": 5})).status_code == 403
    repository.error = QuotaExhausted("all are used", quota="waiting", scope="owner", used=5, limit=5)
    for path, body in (("/tasks", PROGRAM), ("/tasks/batch", {"tasks": [PROGRAM]})):
        assert (await client.post(path, json=body)).status_code == 429
    repository.error = None
    found = await scraped(client)
    assert value(found, "ketline_quota_refusals_total", quota="priority", quota_of="project") == 1
    assert value(found, "ketline_quota_refusals_total", quota="waiting", quota_of="owner") == 2
    assert value(found, "ketline_http_problems_total", code="quota_exceeded") == 1
    assert value(found, "ketline_http_problems_total", code="quota_exhausted") == 2


class Names:
    """Tokens that are names of roles."""

    def takes(self, token: str) -> bool:
        return True

    async def __call__(self, token: str) -> Principal:
        if token not in set(Role):
            raise CredentialsInvalid("nobody")
        return Principal(role=Role(token), project=ProjectName("p"), owner=Owner(token))


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("nobody", 401), ("reader", 403), ("submitter", 403), ("operator", 200)]
)
async def test_metrics_need_an_operator(
    services: Services, options: ApiOptions, token: str | None, status: int
) -> None:
    protected = with_access(services, authenticate=Authenticate([Names()], SystemClock()))
    transport = httpx.ASGITransport(create_app(protected, options))
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test", headers=headers) as client:
        response = await client.get("/metrics")
        assert response.status_code == status
    transport = httpx.ASGITransport(create_metrics_app(services.operations.scrape))
    async with httpx.AsyncClient(transport=transport, base_url="http://anything") as open_to_all:
        found = await scraped(open_to_all)
        assert (await open_to_all.get("/tasks")).status_code == 404
    assert total(found, "ketline_authentication_refusals_total") == int(status != 200)
