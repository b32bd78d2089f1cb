"""Submissions under a key, limits of one task, and a full backlog, over HTTP."""

import httpx
import pytest

from ketline.service.tasks.backlog import Backlog
from tests.fakes import FakeTaskRepository


async def test_repeated_key_gives_the_original_body(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "run-42"}
    first = await client.post("/tasks", json={"qc": "x"}, headers=headers)
    again = await client.post("/tasks", json={"qc": "x", "shots": 777}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]


@pytest.mark.parametrize(
    "body",
    [
        {"qc": "y"},
        {"qc": "x", "shots": 5},
        {"qc": "x", "timeout_s": 5},
        {"qc": "x", "max_attempts": 2},
        {"qc": "x", "seed": 1},
        {"qc": "x", "method": "stim"},
        {"qc": "x", "memory": True},
    ],
)
async def test_key_with_another_body_is_a_422(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    headers = {"Idempotency-Key": "run-42"}
    await client.post("/tasks", json={"qc": "x"}, headers=headers)
    response = await client.post("/tasks", json=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "clé"])
async def test_malformed_key_is_a_422(client: httpx.AsyncClient, key: str) -> None:
    response = await client.post("/tasks", json={"qc": "x"}, headers={b"Idempotency-Key": key.encode()})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_own_limits_are_stored(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    response = await client.post("/tasks", json={"qc": "x", "timeout_s": 12.5, "max_attempts": 7})
    assert response.status_code == 202
    [stored] = repository.submissions
    assert (stored.spec.time_limit_seconds, stored.spec.max_attempts) == (12.5, 7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout_s", 0),
        ("timeout_s", -1),
        ("timeout_s", 100.5),
        ("timeout_s", "5"),
        ("timeout_s", True),
        ("max_attempts", 0),
        ("max_attempts", 8),
        ("max_attempts", 1.0),
    ],
)
async def test_limits_out_of_range_are_rejected(client: httpx.AsyncClient, field: str, value: object) -> None:
    response = await client.post("/tasks", json={"qc": "x", field: value})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == f"#/{field}"


async def test_full_backlog_is_a_429_with_retry_after(client: httpx.AsyncClient, backlog: Backlog) -> None:
    responses = [await client.post("/tasks", json={"qc": "x"}) for _ in range(6)]
    assert [response.status_code for response in responses] == [202] * 5 + [429]
    assert responses[-1].json()["code"] == "backlog_full"
    assert int(responses[-1].headers["retry-after"]) > 0
    await backlog.refresh()
    assert (await client.post("/tasks", json={"qc": "x"})).status_code == 429


async def test_backlog_that_shrank_takes_tasks_again(
    client: httpx.AsyncClient, backlog: Backlog, repository: FakeTaskRepository
) -> None:
    for _ in range(5):
        await client.post("/tasks", json={"qc": "x"})
    repository.tasks.popitem()
    await backlog.refresh()
    assert (await client.post("/tasks", json={"qc": "x"})).status_code == 202
