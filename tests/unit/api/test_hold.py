"""Held tasks over HTTP."""

import httpx
import pytest
from fastapi import FastAPI

from tests.fakes import FakeOutbox, FakeTaskRepository

UNKNOWN = "/tasks/0f8b6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"


async def submitted(client: httpx.AsyncClient, **fields: object) -> str:
    response = await client.post("/tasks", json={"qc": "x", **fields})
    assert response.status_code == 202
    return str(response.headers["location"])


async def test_held_task_is_left_out_of_the_outbox_until_it_is_released(
    client: httpx.AsyncClient, repository: FakeTaskRepository, outbox: FakeOutbox
) -> None:
    address = await submitted(client, hold=True)
    assert repository.taken == [False]
    assert (await client.get(address)).json()["hold"] is True
    assert (await client.get("/tasks")).json()["tasks"][0]["hold"] is True
    nudged = outbox.nudges
    response = await client.post(f"{address}/enqueue")
    assert (response.status_code, response.json()["status"], response.json()["hold"]) == (200, "pending", True)
    assert outbox.nudges == nudged + 1
    again = await client.post(f"{address}/enqueue")
    assert again.json()["released_at"] == response.json()["released_at"]


async def test_other_tasks_do_not_show_a_hold(client: httpx.AsyncClient) -> None:
    task = (await client.get(await submitted(client, hold=False))).json()
    assert not {"hold", "released_at"} & set(task)


async def test_release_says_why_it_cannot_be(client: httpx.AsyncClient) -> None:
    unknown = await client.post(f"{UNKNOWN}/enqueue")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "task_not_found")
    plain = await client.post(f"{await submitted(client)}/enqueue")
    assert (plain.status_code, plain.json()["code"]) == (409, "task_not_held")
    assert plain.json()["task_status"] == "pending"
    address = await submitted(client, hold=True)
    await client.post(f"{address}/cancel")
    cancelled = await client.post(f"{address}/enqueue")
    assert (cancelled.status_code, cancelled.json()["code"]) == (409, "task_ended")
    assert cancelled.json()["task_status"] == "cancelled"


async def test_batch_may_hold_some(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks/batch", json={"tasks": [{"qc": "x", "hold": True}, {"qc": "y"}]})
    assert response.status_code == 202
    assert [one.spec.hold for one in repository.submissions] == [True, False]


@pytest.mark.parametrize("value", ["yes", 1, None])
async def test_hold_is_true_or_false(client: httpx.AsyncClient, value: object) -> None:
    response = await client.post("/tasks", json={"qc": "x", "hold": value})
    assert (response.status_code, response.json()["detail"]) == (422, "hold must be true or false.")
    assert response.json()["errors"][0]["pointer"] == "#/hold"


async def test_page_of_a_held_task_releases_it(app: FastAPI, client: httpx.AsyncClient) -> None:
    address = await submitted(client, hold=True)
    page = (await client.get(f"/ui{address}")).text
    assert "held until it is enqueued" in page
    response = await client.post(f"/ui{address}/enqueue")
    assert response.status_code == 303
    page = (await client.get(f"/ui{address}")).text
    assert "held until it is enqueued" not in page
    assert "Released" in page
