"""Changes, deletions and reruns over HTTP."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from tests.fakes import FakeTaskRepository
from tests.unit.api.conftest import MAX_PROGRAM_BYTES

OLD = {"name": "old", "tags": ["a"], "metadata": {"a": 1}}
UNKNOWN = "/tasks/0f8b6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"


async def submitted(client: httpx.AsyncClient, **fields: object) -> str:
    response = await client.post("/tasks", json={"qc": "x", "seed": 5, "shots": 9, **OLD, **fields})
    assert response.status_code == 202
    return str(response.headers["location"])


def set_status(repository: FakeTaskRepository, address: str, status: TaskStatus) -> None:
    task_id = TaskId(UUID(address.rpartition("/")[2]))
    repository.tasks[task_id] = replace(repository.tasks[task_id], status=status)


@pytest.mark.parametrize(
    "change",
    [{"name": "new"}, {"tags": ["b", "c"]}, {"metadata": {"b": [None]}}, {"name": "new", "tags": ["b"]}, {}],
)
async def test_given_fields_change_and_others_stay(client: httpx.AsyncClient, change: dict[str, object]) -> None:
    address = await submitted(client)
    response = await client.patch(address, json=change)
    assert response.status_code == 200
    expected = {**OLD, **change}
    assert {name: response.json()[name] for name in OLD} == expected
    assert (await client.get(address)).json() == response.json()


@pytest.mark.parametrize("nothing", [None, "empty"])
async def test_labels_are_removed(client: httpx.AsyncClient, nothing: str | None) -> None:
    address = await submitted(client)
    change = dict.fromkeys(OLD) if nothing is None else {"tags": [], "metadata": {}, "name": None}
    assert not set(OLD) & set((await client.patch(address, json=change)).json())


async def test_pending_task_is_rescheduled(client: httpx.AsyncClient) -> None:
    address = await submitted(client)
    moment = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert "scheduled_for" in (await client.patch(address, json={"scheduled_for": moment})).json()
    assert "scheduled_for" not in (await client.patch(address, json={"scheduled_for": None})).json()


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.PENDING])
async def test_schedule_of_other_tasks_is_rejected(
    client: httpx.AsyncClient, repository: FakeTaskRepository, status: TaskStatus
) -> None:
    address = await submitted(client)
    set_status(repository, address, status)
    response = await client.patch(address, json={"scheduled_for": None, "name": "new"})
    assert (response.status_code, response.json()["code"]) == (409, "task_not_pending")
    assert response.json()["task_status"] == status
    assert (await client.patch(address, json={"name": "new"})).status_code == 200


@pytest.mark.parametrize(
    "field", ["status", "result", "attempt", "shots", "qc", "circuit", "seed", "max_attempts", "task_id", "worker_id"]
)
async def test_read_only_fields_are_rejected_as_such(client: httpx.AsyncClient, field: str) -> None:
    address = await submitted(client)
    response = await client.patch(address, json={"name": "new", field: "completed"})
    assert (response.status_code, response.json()["code"]) == (422, "field_read_only")
    assert response.json()["errors"] == [{"detail": "cannot be changed", "pointer": f"#/{field}"}]
    assert (await client.get(address)).json()["name"] == "old"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"color": "red"}, "#/color"),
        ({"name": ""}, "#/name"),
        ({"name": 5}, "#/name"),
        ({"tags": "a"}, "#/tags"),
        ({"tags": ["a", "a"]}, "#/tags"),
        ({"metadata": []}, "#/metadata"),
        ({"scheduled_for": "soon"}, "#/scheduled_for"),
        ([], "#"),
        (5, "#"),
    ],
)
async def test_wrong_changes_are_rejected_by_name(client: httpx.AsyncClient, body: object, pointer: str) -> None:
    response = await client.patch(await submitted(client), json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_bodies_are_json(client: httpx.AsyncClient, method: str) -> None:
    address = await submitted(client) + ("/rerun" if method == "POST" else "")
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (b"{}", {}, 415),
        (b"{", {"Content-Type": "application/json"}, 422),
        (b"\xff", {"Content-Type": "application/json"}, 422),
        (b" " * (7 * MAX_PROGRAM_BYTES + 64 * 1024), {"Content-Type": "application/json"}, 413),
    ]
    for content, headers, status in cases:
        assert (await client.request(method, address, content=content, headers=headers)).status_code == status


async def test_unknown_task_is_neither_changed_nor_deleted_nor_rerun(client: httpx.AsyncClient) -> None:
    responses = [
        await client.patch(UNKNOWN, json={"name": "n"}),
        await client.patch(UNKNOWN, json={}),
        await client.delete(UNKNOWN),
        await client.post(UNKNOWN + "/rerun"),
    ]
    assert [(response.status_code, response.json()["code"]) for response in responses] == [(404, "task_not_found")] * 4
    assert (await client.delete("/tasks/5")).status_code == 422


async def test_ended_task_is_deleted(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    address = await submitted(client)
    rejected = await client.delete(address)
    assert (rejected.status_code, rejected.json()["code"]) == (409, "task_not_ended")
    assert rejected.json()["task_status"] == "pending"
    set_status(repository, address, TaskStatus.CANCELLED)
    response = await client.delete(address)
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(address)).status_code == 404
    assert (await client.delete(address)).status_code == 404


async def test_rerun_is_a_new_task_with_the_same_program(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    address = await submitted(client, inputs={"a": 1}, method="stim", memory=True, timeout_s=7, max_attempts=2)
    response = await client.post(address + "/rerun", headers={"X-Correlation-ID": "c-2"})
    assert (response.status_code, list(response.json())) == (
        202,
        ["task_id", "message", "submitted_at", "correlation_id"],
    )
    assert response.json()["correlation_id"] == "c-2"
    assert response.headers["location"] == f"/tasks/{response.json()['task_id']}" != address
    old, new = repository.submissions
    assert new.spec == old.spec
    task = (await client.get(response.headers["location"])).json()
    assert task["rerun_of"] == str(old.task_id)


async def test_rerun_may_have_another_seed_and_other_shots(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    address = await submitted(client)
    for body in ({"seed": "same"}, {"seed": "new"}, {"seed": 6, "shots": 11}):
        assert (await client.post(address + "/rerun", json=body)).status_code == 202
    _, same, new, other = repository.submissions
    assert (same.spec.options.seed, same.spec.shots) == (5, 9)
    assert new.spec.options.seed not in {5, None}
    assert (other.spec.options.seed, other.spec.shots) == (6, 11)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seed": "other"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": None}, "seed"),
        ({"shots": 0}, "shots"),
        ({"shots": 5001}, "shots"),
        ({"shots": "5"}, "shots"),
        ({"qc": "x"}, "qc"),
    ],
)
async def test_wrong_rerun_is_rejected_by_name(client: httpx.AsyncClient, body: dict[str, object], field: str) -> None:
    response = await client.post(await submitted(client) + "/rerun", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"].split("/")[1] == field


async def test_rerun_under_a_key_makes_one_task(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    address = await submitted(client)
    headers = {"Idempotency-Key": "again"}
    first, second = [await client.post(address + "/rerun", headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 202)
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")
    assert (first.json(), first.headers["location"]) == (second.json(), second.headers["location"])
    assert len(repository.submissions) == 2
    for body in ({"seed": "new"}, {"shots": 5}):
        other = await client.post(address + "/rerun", json=body, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_rerun_under_a_key_is_repeated_when_its_original_is_gone(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    address = await submitted(client)
    headers = {"Idempotency-Key": "again"}
    first = await client.post(address + "/rerun", headers=headers)
    set_status(repository, address, TaskStatus.COMPLETED)
    assert (await client.delete(address)).status_code == 204
    second = await client.post(address + "/rerun", headers=headers)
    assert (second.status_code, second.json()) == (202, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"
    other = await client.post(address + "/rerun", json={"shots": 5}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await client.post(address + "/rerun", headers={"Idempotency-Key": "new"})).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"shots": 5000}, "shots"), ({"timeout_s": 100}, "timeout_s"), ({"max_attempts": 7}, "max_attempts")],
)
async def test_rerun_keeps_limits_that_were_lowered_since(
    client: httpx.AsyncClient, app: FastAPI, repository: FakeTaskRepository, fields: dict[str, object], field: str
) -> None:
    address = await submitted(client, **fields)
    before = await client.post(address + "/rerun", headers={"Idempotency-Key": "before"})
    app.state.options = replace(app.state.options, max_shots=4000, max_timeout_seconds=50, max_attempts=6)
    response = await client.post(address + "/rerun")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"#/{field}"]
    assert len(repository.submissions) == 2
    again = await client.post(address + "/rerun", headers={"Idempotency-Key": "before"})
    assert (again.status_code, again.json()) == (202, before.json())
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_rerun_may_have_fewer_shots_than_an_original_beyond_the_limit(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    address = await submitted(client, shots=5000)
    app.state.options = replace(app.state.options, max_shots=4000, max_attempts=1)
    assert (await client.post(address + "/rerun", json={"shots": 4000})).status_code == 202


async def test_rerun_waits_for_room_in_the_backlog(client: httpx.AsyncClient) -> None:
    address = await submitted(client)
    responses = [await client.post(address + "/rerun") for _ in range(5)]
    assert [response.status_code for response in responses] == [202] * 4 + [429]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/tasks", "GET, HEAD, OPTIONS, POST"),
        (UNKNOWN, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        (UNKNOWN + "/rerun", "OPTIONS, POST"),
    ],
)
async def test_allow_has_all_methods_of_a_path(client: httpx.AsyncClient, path: str, allow: str) -> None:
    assert (await client.options(path)).headers["allow"] == allow
    assert (await client.put(path)).headers["allow"] == allow
