import re

import httpx
import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import capture_logs

from tests.fakes import FakeTaskRepository

HEADER = "X-Correlation-ID"
NEW_ID = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("offered", ["a", "req-42 / user:7 ~!", "x" * 128])
async def test_an_acceptable_id_goes_into_header_body_and_task(
    client: httpx.AsyncClient, repository: FakeTaskRepository, offered: str
) -> None:
    response = await client.post("/tasks", json={"qc": "x"}, headers={HEADER: offered})
    assert response.headers[HEADER] == response.json()["correlation_id"] == offered
    assert repository.submissions[0].correlation_id == offered


@pytest.mark.parametrize("offered", [b"", b"   ", b"x" * 129, b"a\tb", "é".encode(), b"a\x7f", b"\xff"])
async def test_any_other_id_is_replaced(
    client: httpx.AsyncClient, repository: FakeTaskRepository, offered: bytes
) -> None:
    response = await client.post("/tasks", json={"qc": "x"}, headers=[(HEADER.encode(), offered), (b"x", b"y")])
    assert NEW_ID.fullmatch(response.headers[HEADER])
    assert repository.submissions[0].correlation_id == response.headers[HEADER]


async def test_a_missing_id_is_generated_each_time(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/livez"), await client.get("/livez")
    assert NEW_ID.fullmatch(first.headers[HEADER])
    assert first.headers[HEADER] != second.headers[HEADER]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("PUT", "/tasks"), ("POST", "/tasks"), ("GET", "/docs"), ("OPTIONS", "/tasks")],
)
async def test_every_answer_carries_the_id_once(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path, headers={HEADER: "c-1"})
    assert response.headers.get_list(HEADER) == ["c-1"]


async def test_a_body_too_large_carries_the_id(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks", content=b" " * 200_000, headers={HEADER: "c-1"})
    assert (response.status_code, response.headers[HEADER], response.json()["correlation_id"]) == (413, "c-1", "c-1")


async def test_the_id_is_bound_for_logging_during_the_request_only(app: FastAPI, client: httpx.AsyncClient) -> None:
    seen: list[object] = []

    @app.get("/probe")
    async def probe() -> None:
        seen.append(structlog.contextvars.get_contextvars().get("correlation_id"))

    await client.get("/probe", headers={HEADER: "c-1"})
    assert seen == ["c-1"]
    assert "correlation_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.parametrize(
    ("method", "path", "logged", "status", "level"),
    [
        ("GET", "/tasks/11111111-2222-4333-8444-555555555555?x=SECRET", "/tasks/{task_id}", 422, "info"),
        ("GET", "/tasks/x/counts", "/tasks/{task_id}/counts", 404, "info"),
        ("PUT", "/tasks", "/tasks", 405, "info"),
        ("HEAD", "/", "/", 200, "info"),
        ("GET", "/no%0Athing", "/no%0Athing", 404, "info"),
        ("GET", "/health", "/health", 200, "debug"),
        ("GET", "/livez", "/livez", 200, "debug"),
        ("GET", "/readyz", "/readyz", 200, "debug"),
    ],
)
async def test_each_request_is_one_line_of_log(
    client: httpx.AsyncClient, method: str, path: str, logged: str, status: int, level: str
) -> None:
    with capture_logs() as lines:
        await client.request(method, path)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("http.request", level)
    assert (line["method"], line["path"], line["status"]) == (method, logged, status)
    assert line["duration_ms"] >= 0


async def test_a_program_is_never_logged(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.post("/tasks", json={"qc": "SECRETWORD", "shots": 0})
        await client.post("/tasks", json={"qc": "SECRETWORD"})
    assert "SECRETWORD" not in str(lines)
