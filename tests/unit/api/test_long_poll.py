import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change
from ketline.schemas.types import BELL
from ketline.service.tasks.watch import Watch
from tests.fakes import FakeTaskRepository

SECONDS = 10.0
T = TypeVar("T")


@pytest.fixture
async def task_id(client: httpx.AsyncClient, repository: FakeTaskRepository) -> TaskId:
    await client.post("/tasks", json={"qc": BELL})
    return repository.submissions[-1].task_id


@asynccontextmanager
async def waiting(watch: Watch, request: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """The request, under way and waiting."""
    asking = asyncio.create_task(request)
    async with asyncio.timeout(SECONDS):
        while not watch.watched:
            assert not asking.done(), asking.result()
            await asyncio.sleep(0)
        yield asking
        await asking
    assert watch.watched == 0


def end(watch: Watch, repository: FakeTaskRepository, task_id: TaskId) -> None:
    repository.change(task_id, TaskStatus.COMPLETED)
    watch.on_change([Change(task_id=task_id, status=TaskStatus.COMPLETED)])


async def test_answer_comes_when_the_task_ends(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with waiting(watch, client.get(f"/tasks/{task_id}?wait=30")) as asking:
        assert not asking.done()
        end(watch, repository, task_id)
        response = await asking
    assert response.json()["status"] == "completed"
    assert "Preference-Applied" not in response.headers


async def test_answer_comes_when_the_time_is_up(client: httpx.AsyncClient, task_id: TaskId) -> None:
    response = await client.get(f"/tasks/{task_id}?wait=0.05")
    assert (response.status_code, response.json()["status"]) == (200, "pending")


async def test_task_that_began_meanwhile_is_answered_so(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with waiting(watch, client.get(f"/tasks/{task_id}?wait=0.2")) as asking:
        repository.change(task_id, TaskStatus.PROCESSING)
        watch.on_change([Change(task_id=task_id, status=TaskStatus.PROCESSING)])
        response = await asking
    assert (response.status_code, response.json()["status"]) == (200, "processing")


async def test_ended_task_is_answered_at_once(
    client: httpx.AsyncClient, repository: FakeTaskRepository, task_id: TaskId
) -> None:
    repository.change(task_id, TaskStatus.FAILED)
    async with asyncio.timeout(SECONDS):
        response = await client.get(f"/tasks/{task_id}?wait=30")
    assert response.json()["status"] == "failed"


async def test_preference_is_applied_and_confirmed(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    request = client.get(f"/tasks/{task_id}", headers={"Prefer": "respond-async, wait=20"})
    async with waiting(watch, request) as asking:
        end(watch, repository, task_id)
        response = await asking
    assert response.headers["Preference-Applied"] == "wait=20"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=0", "wait=0"),
        ('return=minimal; foo="a, b", wait="0"', "wait=0"),
        ("WAIT=0", "wait=0"),
        ("waiting=5", None),
        ("wait=soon", None),
        ("wait=-1", None),
        ("wait=0.5", None),
    ],
)
async def test_preference_that_cannot_be_read_is_ignored(
    client: httpx.AsyncClient, task_id: TaskId, prefer: str, applied: str | None
) -> None:
    response = await client.get(f"/tasks/{task_id}", headers={"Prefer": prefer})
    assert response.headers.get("Preference-Applied") == applied


async def test_longer_preference_is_cut(
    client: httpx.AsyncClient, repository: FakeTaskRepository, task_id: TaskId
) -> None:
    repository.change(task_id, TaskStatus.COMPLETED)
    response = await client.get(f"/tasks/{task_id}", headers={"Prefer": "wait=999999999"})
    assert response.headers["Preference-Applied"] == "wait=30"


@pytest.mark.parametrize("wait", ["31", "-1", "nan", "inf", "soon", ""])
async def test_bad_wait_is_rejected(client: httpx.AsyncClient, task_id: TaskId, wait: str) -> None:
    response = await client.get(f"/tasks/{task_id}?wait={wait}")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["parameter"] == "wait"


async def test_submission_that_ends_in_time_is_answered_with_the_task(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch
) -> None:
    request = client.post("/tasks", json={"qc": BELL}, headers={"Prefer": "wait=30"})
    async with waiting(watch, request) as asking:
        task_id = repository.submissions[-1].task_id
        end(watch, repository, task_id)
        response = await asking
    assert (response.status_code, response.json()["status"]) == (200, "completed")
    assert response.headers["Location"] == f"/tasks/{task_id}"
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.headers["Content-Type"] == "application/json"


async def test_submission_that_takes_longer_is_answered_as_any(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", json={"qc": BELL}, headers={"Prefer": "wait=0"})
    assert (response.status_code, response.json()["message"]) == (202, "Task submitted successfully.")
    assert response.headers["Preference-Applied"] == "wait=0"


async def test_stopping_process_answers_as_things_stand(
    client: httpx.AsyncClient, watch: Watch, task_id: TaskId
) -> None:
    async with waiting(watch, client.get(f"/tasks/{task_id}?wait=30")) as asking:
        watch.close()
        response = await asking
    assert (response.status_code, response.json()["status"]) == (200, "pending")


async def test_task_that_is_deleted_meanwhile_is_not_found(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with waiting(watch, client.get(f"/tasks/{task_id}?wait=30")) as asking:
        del repository.tasks[task_id]
        await watch.poll()
        response = await asking
    assert response.status_code == 404


async def test_database_outage_during_a_wait_is_a_problem(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with waiting(watch, client.get(f"/tasks/{task_id}?wait=30")) as asking:
        repository.error = DatabaseUnavailable("away")
        watch.on_change([Change(task_id=task_id, status=TaskStatus.COMPLETED)])
        response = await asking
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")


async def test_client_that_disconnects_frees_its_resources(app: FastAPI, watch: Watch, task_id: TaskId) -> None:
    gone = asyncio.Event()
    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(received, None)) is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        return

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"/tasks/{task_id}",
        "raw_path": f"/tasks/{task_id}".encode(),
        "query_string": b"wait=30",
        "headers": [(b"host", b"ketline.test")],
    }
    async with waiting(watch, app(scope, receive, send)):
        gone.set()


@pytest.mark.parametrize("trouble", ["away", "deleted"])
async def test_stored_submission_is_accepted_whatever_comes_of_the_wait(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, trouble: str
) -> None:
    request = client.post("/tasks", json={"qc": BELL}, headers={"Prefer": "wait=30"})
    async with waiting(watch, request) as asking:
        task_id = repository.submissions[-1].task_id
        if trouble == "away":
            repository.error = DatabaseUnavailable("away")
        else:
            del repository.tasks[task_id]
        watch.on_change([Change(task_id=task_id, status=TaskStatus.COMPLETED)])
        response = await asking
    assert (response.status_code, response.json()["task_id"]) == (202, str(task_id))


async def test_wait_in_the_address_wins_even_if_it_is_none(client: httpx.AsyncClient, task_id: TaskId) -> None:
    async with asyncio.timeout(SECONDS):
        response = await client.get(f"/tasks/{task_id}?wait=0", headers={"Prefer": "wait=30"})
    assert "Preference-Applied" not in response.headers
