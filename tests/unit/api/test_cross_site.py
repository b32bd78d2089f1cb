"""No page of another site has a browser change anything here; who is no browser is left alone."""

import httpx
import pytest

from tests.fakes import FakeTaskRepository

OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://ketline.test"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://ketline.test"},
    {"Origin": "https://ketline.test"},
    {"Origin": "https://public.example:8443", "X-Forwarded-Host": "public.example:8443"},
]
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://ketline.test"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://other.ketline.test"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "http://evil.example"},
    {"Origin": "http://ketline.test:81"},
    {"Origin": "http://ketline.test.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "ketline.test"},
    {"Origin": "http://[::1"},
]


@pytest.mark.parametrize("headers", OWN)
async def test_own_pages_and_other_clients_may_submit(
    client: httpx.AsyncClient, repository: FakeTaskRepository, headers: dict[str, str]
) -> None:
    assert (await client.post("/ui/submit", data={"qc": "x"}, headers=headers)).status_code == 303
    assert (await client.post("/tasks", json={"qc": "x"}, headers=headers)).status_code == 202
    assert len(repository.submissions) == 2


@pytest.mark.parametrize("headers", FOREIGN)
async def test_pages_of_other_sites_change_nothing(
    client: httpx.AsyncClient, repository: FakeTaskRepository, headers: dict[str, str]
) -> None:
    await client.post("/tasks", json={"qc": "x"})
    [made] = repository.submissions
    requests = [
        client.build_request("POST", "/ui/submit", data={"qc": "x"}, headers=headers),
        client.build_request("POST", f"/ui/tasks/{made.task_id}/cancel", headers=headers),
        client.build_request("POST", f"/ui/tasks/{made.task_id}/rerun", data={"seed": "new"}, headers=headers),
        client.build_request("POST", f"/tasks/{made.task_id}/cancel", headers=headers),
        client.build_request("POST", f"/tasks/{made.task_id}/rerun", headers=headers),
        client.build_request("DELETE", f"/tasks/{made.task_id}", headers=headers),
        client.build_request("POST", "/tasks", json={"qc": "x"}, headers=headers),
    ]
    for request in requests:
        response = await client.send(request)
        assert (response.status_code, response.json()["code"]) == (403, "cross_site_refused"), request.url
    assert len(repository.submissions) == 1
    assert repository.tasks[made.task_id].status == "pending"


@pytest.mark.parametrize("headers", FOREIGN)
async def test_links_of_other_sites_lead_here(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await client.get("/", headers=headers)).status_code == 200
