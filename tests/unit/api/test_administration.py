"""Keys and projects over HTTP, for administrators, and who one is."""

from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from ketline.api.app import ApiOptions, create_app
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.attempts.dead_letters import DeadLetter
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.service.services import Services
from tests.fake_access import FakeAuditLog
from tests.fakes import FakeDeadLetterBox, FakeTaskRepository

CREATED = {"role": "submitter", "owner": "ada", "name": "laptop", "lifetime_s": 3600}


async def _create(client: httpx.AsyncClient, **changes: object) -> dict[str, str]:
    response = await client.post("/keys", json={**CREATED, **changes})
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    created: dict[str, str] = response.json()
    return created


async def test_key_is_shown_once(client: httpx.AsyncClient) -> None:
    created = await _create(client)
    assert (created["project"], created["role"], created["owner"]) == ("default", "submitter", "ada")
    assert created["key"].startswith(f"ktl_{created['key_id']}_")
    listed = (await client.get("/keys")).json()["keys"]
    assert listed == [{name: value for name, value in created.items() if name != "key"}]


async def test_revoked_key_stays_in_the_list_with_its_end(client: httpx.AsyncClient) -> None:
    key_id = (await _create(client, lifetime_s=None))["key_id"]
    revoked = await client.delete(f"/keys/{key_id}")
    assert revoked.status_code == 200
    assert "expires_at" in revoked.json()
    assert (await client.get("/keys")).json()["keys"] == [revoked.json()]


async def test_rotation_keeps_the_rights_and_ends_the_old_key(client: httpx.AsyncClient) -> None:
    old = await _create(client, lifetime_s=None)
    response = await client.post(f"/keys/{old['key_id']}/rotate", json={"overlap_s": 60})
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    new = response.json()
    assert new["key"] != old["key"]
    assert {name: new[name] for name in ("project", "role", "owner", "name")} == {
        name: old[name] for name in ("project", "role", "owner", "name")
    }
    listed = {key["key_id"]: "expires_at" in key for key in (await client.get("/keys")).json()["keys"]}
    assert listed == {old["key_id"]: True, new["key_id"]: False}
    assert (await client.post(f"/keys/{new['key_id']}/rotate")).status_code == 201, "the body may be left out"


async def test_projects_are_created_and_listed(client: httpx.AsyncClient) -> None:
    created = await client.post("/projects", json={"name": "optics"})
    assert (created.status_code, created.json()["name"]) == (201, "optics")
    assert [one["name"] for one in (await client.get("/projects")).json()["projects"]] == ["default", "optics"]
    mine = (await _create(client, project="optics"))["key_id"]
    await _create(client)
    assert [one["key_id"] for one in (await client.get("/keys?project=optics")).json()["keys"]] == [mine]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/keys?project=nowhere", None, 404, "project_unknown"),
        ("GET", "/keys?colour=red", None, 422, "invalid_request"),
        ("POST", "/keys", {**CREATED, "project": "nowhere"}, 404, "project_unknown"),
        ("POST", "/keys", {**CREATED, "project": "No Name"}, 422, "invalid_request"),
        ("POST", "/keys", {**CREATED, "role": "king"}, 422, "invalid_request"),
        ("POST", "/keys", {**CREATED, "owner": " "}, 422, "invalid_request"),
        ("POST", "/keys", {**CREATED, "lifetime_s": 0}, 422, "invalid_request"),
        ("POST", "/keys", {**CREATED, "lifetime_s": 1e12}, 422, "invalid_request"),
        ("POST", "/keys", {**CREATED, "digest": ""}, 422, "invalid_request"),
        ("DELETE", "/keys/0123456789ab", None, 404, "key_unknown"),
        ("POST", "/keys/0123456789ab/rotate", {}, 404, "key_unknown"),
        ("POST", "/keys/0123456789ab/rotate", {"overlap_s": -1}, 422, "invalid_request"),
        ("POST", "/projects", {"name": "default"}, 409, "project_exists"),
        ("POST", "/projects", {"name": "a" * 64}, 422, "invalid_request"),
        ("POST", "/projects", {"name": "optics\n"}, 422, "invalid_request"),
    ],
)
async def test_mistakes_are_problems(
    client: httpx.AsyncClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    response = await client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_audit_is_paged_by_cursor(client: httpx.AsyncClient, audit_log: FakeAuditLog) -> None:
    actor = Actor(owner=Owner("ada"), key_id="0f8b6a4f2c1d", origin="192.0.2.1")
    for target in ("1", "2", "3"):
        await audit_log.add(
            AuditRecord(action=Action.TASK_CANCELLED, actor=actor, project=ProjectName("optics"), target=target)
        )
    first = await client.get("/audit?project=optics&limit=2")
    assert [entry["target"] for entry in first.json()["entries"]] == ["3", "2"]
    following = first.json()["next"]
    assert first.headers["link"] == f'<{following}>; rel="next"'
    second = (await client.get(following)).json()
    assert [{name: value for name, value in entry.items() if name != "at"} for entry in second["entries"]] == [
        {
            "number": 1,
            "action": "task.cancelled",
            "project": "optics",
            "target": "1",
            "owner": "ada",
            "key_id": "0f8b6a4f2c1d",
            "origin": "192.0.2.1",
        }
    ]
    assert "next" not in second
    assert (await client.get("/audit?project=default")).json() == {"entries": []}


async def test_cancellation_names_its_actor(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = (await client.post("/tasks", json={"qc": "x"})).json()["task_id"]
    await client.post(f"/tasks/{task_id}/cancel")
    assert repository.actors == [Actor(origin="127.0.0.1")]


@pytest.mark.parametrize(
    ("peer", "origin"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("command line", "unknown"),
        ("192.0.2.1\r\n", "unknown"),
        ("fe80::1%" + "x" * 60_000, "fe80::1"),
        ("x" * 60_000, "unknown"),
        ("", "unknown"),
    ],
)
async def test_origin_is_an_address_whatever_a_proxy_forwards(
    services: Services, options: ApiOptions, repository: FakeTaskRepository, peer: str, origin: str
) -> None:
    transport = httpx.ASGITransport(create_app(services, options), client=(peer, 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://ketline.test") as client:
        task_id = (await client.post("/tasks", json={"qc": "x"})).json()["task_id"]
        await client.post(f"/tasks/{task_id}/cancel")
    assert repository.actors == [Actor(origin=origin)]


async def test_requeue_of_dead_letters_is_recorded_first(
    client: httpx.AsyncClient, audit_log: FakeAuditLog, dead_letters: FakeDeadLetterBox
) -> None:
    dead_letters.letters.append(DeadLetter(reason="rejected", task_id=TaskId(UUID(int=1))))
    audit_log.error = DatabaseUnavailable("down")
    assert (await client.post("/ui/dead-letters/requeue")).status_code == 503
    assert len(dead_letters.letters) == 1
    audit_log.error = None
    assert (await client.post("/ui/dead-letters/requeue")).status_code == 303
    assert [(record.action, record.actor.origin) for record in audit_log.records] == [
        (Action.DEAD_LETTERS_REQUEUED, "127.0.0.1")
    ]
    assert dead_letters.letters == []


async def test_task_shows_its_owner_and_its_project(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = UUID((await client.post("/tasks", json={"qc": "x"})).json()["task_id"])
    plain = (await client.get(f"/tasks/{task_id}")).json()
    assert {"owner", "project"}.isdisjoint(plain)
    stored = repository.tasks[TaskId(task_id)]
    repository.tasks[TaskId(task_id)] = replace(stored, owner=Owner("ada"), project=ProjectName("optics"))
    read = (await client.get(f"/tasks/{task_id}")).json()
    [listed] = (await client.get("/tasks?owner=ada")).json()["tasks"]
    for shown in (read, listed):
        assert (shown["owner"], shown["project"]) == ("ada", "optics")
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "ada" in page
    assert "optics" in page


async def test_everyone_administers_the_default_project_without_authentication(client: httpx.AsyncClient) -> None:
    response = await client.get("/whoami")
    assert (response.json(), response.headers["cache-control"]) == (
        {"project": "default", "role": "administrator"},
        "no-store",
    )


async def test_quotas_of_a_project_are_changed_one_by_one(client: httpx.AsyncClient) -> None:
    await client.post("/projects", json={"name": "optics"})
    body = {"quotas": {"waiting": 100, "seconds_per_day": 0.5}, "owner_quotas": {"priority": 0}}
    changed = await client.patch("/projects/optics", json=body)
    assert (changed.status_code, changed.json()) == (200, changed.json() | body)
    await client.patch("/projects/optics", json={"quotas": {"waiting": None, "active": 7}})
    left = (await client.get("/projects/optics")).json()
    assert (left["quotas"], left["owner_quotas"]) == ({"seconds_per_day": 0.5, "active": 7}, {"priority": 0})
    assert (await client.get("/projects")).json()["projects"][1] == left


async def test_weight_of_a_project_is_changed_by_itself(client: httpx.AsyncClient) -> None:
    await client.patch("/projects/default", json={"quotas": {"waiting": 100}})
    changed = (await client.patch("/projects/default", json={"weight": 2.5})).json()
    assert (changed["weight"], changed["quotas"]) == (2.5, {"waiting": 100})
    await client.patch("/projects/default", json={"quotas": {"waiting": 3}})
    assert (await client.get("/projects/default")).json()["weight"] == 2.5
    for weight in (0, -1, 1001, "2", "NaN"):
        assert (await client.patch("/projects/default", json={"weight": weight})).status_code == 422


@pytest.mark.parametrize(
    "quotas", [{"colour": 1}, {"waiting": -1}, {"waiting": 1.5}, {"priority": 101}, {"timeout_s": 0}, {"active": "7"}]
)
async def test_impossible_quota_is_rejected(client: httpx.AsyncClient, quotas: dict[str, object]) -> None:
    response = await client.patch("/projects/default", json={"quotas": quotas})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_project_that_nobody_created_has_no_quotas(client: httpx.AsyncClient) -> None:
    for response in (
        await client.get("/projects/x"),
        await client.patch("/projects/x", json={"quotas": {"waiting": 1}}),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "project_unknown")
