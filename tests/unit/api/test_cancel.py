"""Cancelling over HTTP."""

from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from ketline.domain.status import TaskStatus
from tests.fakes import FakeTaskRepository


async def submitted(client: httpx.AsyncClient) -> str:
    return str((await client.post("/tasks", json={"qc": "x"})).json()["task_id"])


async def test_cancelled_task_is_answered_as_it_stands(client: httpx.AsyncClient) -> None:
    task_id = await submitted(client)
    response = await client.post(f"/tasks/{task_id}/cancel")
    assert response.status_code == 200
    assert (response.json()["task_id"], response.json()["status"]) == (task_id, "cancelled")
    assert response.json()["message"] == "Task was cancelled."


@pytest.mark.parametrize("status", [status for status in TaskStatus if status.terminal])
async def test_ended_task_is_a_409_with_its_status(
    client: httpx.AsyncClient, repository: FakeTaskRepository, status: TaskStatus
) -> None:
    task_id = await submitted(client)
    [task] = repository.tasks.values()
    repository.tasks[task.task_id] = replace(task, status=status)
    response = await client.post(f"/tasks/{task_id}/cancel")
    assert response.status_code == 409
    assert (response.json()["code"], response.json()["task_status"]) == ("task_ended", status)


async def test_unknown_and_malformed_ids(client: httpx.AsyncClient) -> None:
    unknown = await client.post(f"/tasks/{uuid4()}/cancel")
    assert (unknown.status_code, "not found" in unknown.json()["detail"]) == (404, True)
    assert (await client.post("/tasks/nonsense/cancel")).status_code == 422
    assert (await client.get(f"/tasks/{uuid4()}/cancel")).status_code == 405
