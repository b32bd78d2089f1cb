import httpx
import pytest

from ketline.schemas.types import BELL
from ketline.service.tasks.backlog import Backlog
from tests.fakes import FakeTaskRepository
from tests.unit.api.conftest import MAX_PROGRAM_BYTES


async def test_all_are_stored_in_order(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    body = {"tasks": [{"qc": BELL, "shots": 5, "seed": 1}, {"circuit": "second", "name": "n", "tags": ["t"]}]}
    response = await client.post("/tasks/batch", json=body, headers={"X-Correlation-ID": "c-7"})
    assert response.status_code == 202
    first, second = repository.submissions
    assert [task["task_id"] for task in response.json()["tasks"]] == [str(first.task_id), str(second.task_id)]
    assert (first.spec.circuit, first.spec.shots, first.spec.options.seed) == (BELL, 5, 1)
    assert (second.spec.circuit, second.spec.shots, second.spec.labels.name, second.spec.labels.tags) == (
        "second",
        777,
        "n",
        ["t"],
    )
    assert second.spec.options.seed is not None
    assert {one.correlation_id for one in repository.submissions} == {"c-7"}
    assert response.headers["X-Correlation-ID"] == "c-7"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"tasks": []}, ["#/tasks"]),
        ({"tasks": [{"qc": "x"}] * 1001}, ["#/tasks"]),
        ({}, ["#/tasks"]),
        ({"tasks": {"qc": BELL}}, ["#/tasks"]),
        ({"tasks": [BELL]}, ["#/tasks/0"]),
        ({"tasks": [{"qc": BELL}, {"qc": BELL, "shots": "5"}]}, ["#/tasks/1/shots"]),
        ({"tasks": [{"qc": BELL}, {"qc": BELL, "shots": 5001}]}, ["#/tasks/1/shots"]),
        ({"tasks": [{}, {"qc": ""}, {"qc": BELL, "colour": 1}]}, ["#/tasks/0/qc", "#/tasks/1/qc", "#/tasks/2/colour"]),
        ({"tasks": [{"qc": BELL}], "shots": 3}, ["#/shots"]),
        ([{"qc": BELL}], ["#"]),
    ],
)
async def test_bad_batch_is_rejected_whole(
    client: httpx.AsyncClient, repository: FakeTaskRepository, body: object, pointers: list[str]
) -> None:
    response = await client.post("/tasks/batch", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in response.json()["errors"]] == pointers
    assert repository.submissions == []


async def test_program_that_is_too_large_is_pointed_at(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    body = {"tasks": [{"qc": BELL}, {"qc": "x" * (MAX_PROGRAM_BYTES + 1)}]}
    response = await client.post("/tasks/batch", json=body)
    assert (response.status_code, response.json()["code"]) == (413, "program_too_large")
    assert response.json()["errors"][0]["pointer"] == "#/tasks/1/qc"
    assert repository.submissions == []


async def test_batch_without_room_for_all_is_rejected_whole(
    client: httpx.AsyncClient, repository: FakeTaskRepository, backlog: Backlog
) -> None:
    assert (await client.post("/tasks/batch", json={"tasks": [{"qc": BELL}] * 6})).json()["code"] == "backlog_full"
    assert repository.submissions == []
    assert (await client.post("/tasks/batch", json={"tasks": [{"qc": BELL}] * 5})).status_code == 202
    assert (await client.post("/tasks", json={"qc": BELL})).status_code == 429


async def test_repeated_batch_gives_the_same_tasks(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    body, key = {"tasks": [{"qc": BELL}, {"qc": BELL}]}, {"Idempotency-Key": "run-42"}
    first = await client.post("/tasks/batch", json=body, headers=key)
    again = await client.post("/tasks/batch", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert first.json() | {"x": 0} == again.json() | {"x": 0}
    assert len(repository.submissions) == 2
    for other in ([{"qc": BELL}], [{"qc": BELL}, {"qc": BELL, "shots": 3}]):
        response = await client.post("/tasks/batch", json={"tasks": other}, headers=key)
        assert response.json()["code"] == "idempotency_key_reused"
    assert (await client.post("/tasks", json={"qc": BELL}, headers=key)).status_code == 202, "another kind of thing"


async def test_bad_key_is_rejected(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks/batch", json={"tasks": [{"qc": BELL}]}, headers={"Idempotency-Key": "a b"})
    assert response.json()["errors"][0]["parameter"] == "Idempotency-Key"
