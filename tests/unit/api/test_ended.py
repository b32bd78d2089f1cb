"""`POST /tasks/ended`: many tasks are read, and waited for, with one request."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import Change
from ketline.schemas.types import BELL
from ketline.service.tasks.watch import Watch
from tests.fakes import FakeTaskRepository
from tests.unit.api.test_long_poll import end, waiting

SECONDS = 10.0


@pytest.fixture
async def task_ids(client: httpx.AsyncClient, repository: FakeTaskRepository) -> list[TaskId]:
    await client.post("/tasks/batch", json={"tasks": [{"qc": BELL, "shots": 5, "seed": seed} for seed in range(3)]})
    return [submission.task_id for submission in repository.submissions]


def body(*task_ids: TaskId) -> dict[str, list[str]]:
    return {"task_ids": [str(task_id) for task_id in task_ids]}


async def test_ended_tasks_have_results_or_reasons(
    client: httpx.AsyncClient, repository: FakeTaskRepository, task_ids: list[TaskId]
) -> None:
    completed, failed, pending = task_ids
    repository.change(completed, TaskStatus.COMPLETED)
    repository.change(failed, TaskStatus.FAILED)
    missing = TaskId(uuid4())
    response = await client.post("/tasks/ended", json=body(pending, failed, missing, completed, failed))
    assert response.status_code == 200
    found = response.json()
    assert [task["task_id"] for task in found["tasks"]] == [str(failed), str(completed)]
    assert (found["running"], found["unread"], found["missing"]) == ([str(pending)], [], [str(missing)])
    for task in found["tasks"]:
        whole = (await client.get(f"/tasks/{task['task_id']}")).json()
        assert task == {name: whole[name] for name in task}
        assert ("result" in task, "error" in task) == ("result" in whole, "error" in whole)
    assert "Preference-Applied" not in response.headers


async def test_answer_comes_when_all_have_ended(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_ids: list[TaskId]
) -> None:
    request = client.post("/tasks/ended", json=body(*task_ids), headers={"Prefer": "wait=20"})
    async with waiting(watch, request) as asking:
        for task_id in task_ids:
            assert not asking.done()
            end(watch, repository, task_id)
        response = await asking
    assert len(response.json()["tasks"]) == 3
    assert response.headers["Preference-Applied"] == "wait=20"


async def test_task_that_ended_without_a_notification_is_found_by_the_poll(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_ids: list[TaskId]
) -> None:
    request = client.post("/tasks/ended", json=body(*task_ids), headers={"Prefer": "wait=20"})
    async with waiting(watch, request) as asking:
        for task_id in task_ids:
            repository.change(task_id, TaskStatus.COMPLETED)
        await watch.poll()
        assert len((await asking).json()["tasks"]) == 3


async def test_answer_comes_when_the_time_is_up(
    client: httpx.AsyncClient, repository: FakeTaskRepository, task_ids: list[TaskId]
) -> None:
    repository.change(task_ids[0], TaskStatus.COMPLETED)
    response = await client.post("/tasks/ended", json=body(*task_ids), headers={"Prefer": "wait=1"})
    found = response.json()
    assert [task["task_id"] for task in found["tasks"]] == [str(task_ids[0])]
    assert found["running"] == list(map(str, task_ids[1:]))


async def test_answer_comes_when_any_has_ended(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_ids: list[TaskId]
) -> None:
    document = {**body(*task_ids), "until": "any"}
    async with waiting(watch, client.post("/tasks/ended", json=document, headers={"Prefer": "wait=20"})) as asking:
        assert not asking.done()
        watch.on_change([Change(task_id=task_ids[0], status=TaskStatus.PROCESSING)])
        end(watch, repository, task_ids[1])
        found = (await asking).json()
    assert [task["task_id"] for task in found["tasks"]] == [str(task_ids[1])]
    assert found["running"] == [str(task_ids[0]), str(task_ids[2])]


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, None])
async def test_any_that_has_ended_before_or_is_missing_is_answered_at_once(
    client: httpx.AsyncClient, repository: FakeTaskRepository, task_ids: list[TaskId], status: TaskStatus | None
) -> None:
    other = task_ids[0] if status else TaskId(uuid4())
    if status:
        repository.change(other, status)
    document = {**body(task_ids[1], other), "until": "any"}
    async with asyncio.timeout(SECONDS):
        found = (await client.post("/tasks/ended", json=document, headers={"Prefer": "wait=20"})).json()
    assert found["running"] == [str(task_ids[1])]
    assert [task["task_id"] for task in found["tasks"]] + found["missing"] == [str(other)]


async def test_deleted_tasks_are_not_waited_for(client: httpx.AsyncClient) -> None:
    missing = TaskId(uuid4())
    async with asyncio.timeout(SECONDS):
        response = await client.post("/tasks/ended", json=body(missing), headers={"Prefer": "wait=20"})
    assert response.json() == {"tasks": [], "running": [], "unread": [], "missing": [str(missing)]}


async def test_service_that_stops_answers_at_once(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_ids: list[TaskId]
) -> None:
    request = client.post("/tasks/ended", json=body(*task_ids), headers={"Prefer": "wait=20"})
    async with waiting(watch, request) as asking:
        watch.on_change([Change(task_id=task_ids[0], status=TaskStatus.PROCESSING)])
        watch.close()
        assert (await asking).json()["running"] == list(map(str, task_ids))


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"task_ids": []}, "#/task_ids"),
        ({"task_ids": [str(uuid4())] * 1001}, "#/task_ids"),
        ({"task_ids": ["no id"]}, "#/task_ids/0"),
        ({"task_ids": [str(uuid4())], "wait": 3}, "#/wait"),
        ({"task_ids": [str(uuid4())], "until": "some"}, "#/until"),
        ({}, "#/task_ids"),
    ],
)
async def test_bad_request_is_rejected(client: httpx.AsyncClient, document: object, pointer: str) -> None:
    response = await client.post("/tasks/ended", json=document)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_large_results_are_compressed_for_clients_that_take_it(
    client: httpx.AsyncClient, repository: FakeTaskRepository, task_ids: list[TaskId]
) -> None:
    counts = {f"{number:030b}": 1 for number in range(30_000)}
    repository.change(task_ids[0], TaskStatus.COMPLETED)
    repository.tasks[task_ids[0]] = replace(repository.tasks[task_ids[0]], counts=counts)
    response = await client.post("/tasks/ended", json=body(task_ids[0]))
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.json()["tasks"][0]["result"]["counts"] == counts
    plain = await client.post("/tasks/ended", json=body(task_ids[0]), headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == response.json()
