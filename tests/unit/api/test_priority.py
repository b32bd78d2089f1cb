from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from ketline.domain.ids import TaskId
from ketline.domain.tasks.priority import QueuePosition
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PLACE = QueuePosition(
    at=NOON, ahead=4, counted_to_the_end=True, slots=1, free_slots=0, ended=30, window=timedelta(minutes=1)
)


async def submit(client: httpx.AsyncClient, **fields: Any) -> str:
    response = await client.post("/tasks", json={"qc": "x", **fields})
    assert response.status_code == 202
    return str(response.json()["task_id"])


async def test_priority_is_stored_and_shown(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submit(client, priority=-100)
    assert repository.submissions[0].spec.priority == -100
    assert (await client.get(f"/tasks/{task_id}")).json()["priority"] == -100
    assert (await client.get("/tasks")).json()["tasks"][0]["priority"] == -100


async def test_priority_0_is_left_out(client: httpx.AsyncClient) -> None:
    assert "priority" not in (await client.get(f"/tasks/{await submit(client)}")).json()


@pytest.mark.parametrize("priority", [101, -101, 1.5, "1", None, True])
async def test_other_priorities_are_rejected(client: httpx.AsyncClient, priority: Any) -> None:
    response = await client.post("/tasks", json={"qc": "x", "priority": priority})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == "#/priority"


async def test_priority_can_be_changed_and_removed(client: httpx.AsyncClient) -> None:
    path = f"/tasks/{await submit(client)}"
    assert (await client.patch(path, json={"priority": 7})).json()["priority"] == 7
    assert "priority" not in (await client.patch(path, json={"priority": None})).json()
    assert (await client.patch(path, json={"priority": 101})).status_code == 422


async def test_waiting_task_has_its_queue_position(client: httpx.AsyncClient, catalogue: FakeTaskCatalogue) -> None:
    task_id = await submit(client)
    catalogue.places[TaskId(UUID(task_id))] = PLACE
    view = (await client.get(f"/tasks/{task_id}?queue=true")).json()
    assert view["queue"] == {"position": 5, "estimated_start": "2026-03-04T12:00:10.000000Z"}


async def test_task_that_does_not_wait_has_no_queue_position(client: httpx.AsyncClient) -> None:
    assert "queue" not in (await client.get(f"/tasks/{await submit(client)}?queue=true")).json()


@pytest.mark.parametrize("query", ["", "?queue=false", "?result=true"])
async def test_queue_position_is_returned_only_on_request(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, query: str
) -> None:
    task_id = await submit(client)
    catalogue.places[TaskId(UUID(task_id))] = PLACE
    assert "queue" not in (await client.get(f"/tasks/{task_id}{query}")).json()


async def test_key_stands_for_the_priority_too(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    responses = [
        await client.post("/tasks", json={"qc": "x", "priority": priority}, headers=headers) for priority in (1, 1, 2)
    ]
    assert [response.status_code for response in responses] == [202, 202, 422]
    assert responses[0].json() == responses[1].json()
