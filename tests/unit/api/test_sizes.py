import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.fakes import FakeTaskRepository
from tests.unit.api.conftest import MAX_PROGRAM_BYTES

JSON = {"Content-Type": "application/json"}
MAX_BODY_BYTES = 6 * MAX_PROGRAM_BYTES + 64 * 1024


@pytest.mark.parametrize("program", ["x" * MAX_PROGRAM_BYTES, "é" * (MAX_PROGRAM_BYTES // 2)])
async def test_a_program_of_exactly_the_limit_is_accepted(client: httpx.AsyncClient, program: str) -> None:
    assert (await client.post("/tasks", json={"qc": program})).status_code == 202


@pytest.mark.parametrize("program", ["x" * (MAX_PROGRAM_BYTES + 1), "é" * (MAX_PROGRAM_BYTES // 2) + "x"])
async def test_one_byte_more_is_too_large(client: httpx.AsyncClient, program: str) -> None:
    response = await client.post("/tasks", json={"qc": program})
    assert (response.status_code, response.json()["code"]) == (413, "program_too_large")
    assert str(MAX_PROGRAM_BYTES) in response.json()["detail"]


async def test_escaping_does_not_make_a_program_too_large(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    body = '{"qc":"' + "\\u0041" * MAX_PROGRAM_BYTES + '"}'
    assert (await client.post("/tasks", content=body, headers=JSON)).status_code == 202
    assert repository.submissions[0].spec.circuit == "A" * MAX_PROGRAM_BYTES


async def test_a_body_that_declares_too_much_is_rejected_unread(app: FastAPI) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError("the body was read")

    sent = await _call(app, receive, [(b"content-length", str(MAX_BODY_BYTES + 1).encode())])
    _assert_cut_off(sent)


async def test_a_declared_length_of_many_digits_is_rejected(app: FastAPI) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError("the body was read")

    _assert_cut_off(await _call(app, receive, [(b"content-length", b"9" * 5000)]))


async def test_an_endless_body_is_cut_off_just_past_the_limit(app: FastAPI) -> None:
    received = 0

    async def receive() -> dict[str, object]:
        nonlocal received
        received += 1000
        assert received <= MAX_BODY_BYTES + 1000, "the body was read on"
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    _assert_cut_off(await _call(app, receive, []))


async def test_a_chunked_body_within_the_limit_is_accepted(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for byte in b'{"qc":"x"}':
            yield bytes([byte])

    assert (await client.post("/tasks", content=chunks(), headers=JSON)).status_code == 202


async def _call(app: FastAPI, receive: object, headers: list[tuple[bytes, bytes]]) -> list[dict[str, object]]:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/tasks",
        "raw_path": b"/tasks",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"ketline.test"), (b"content-type", b"application/json"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent


def _assert_cut_off(sent: list[dict[str, object]]) -> None:
    start, body = sent
    assert start["status"] == 413
    # Otherwise the server would continue reading the rest to get at the next request.
    assert (b"connection", b"close") in start["headers"]  # type: ignore[operator]
    assert json.loads(body["body"])["code"] == "body_too_large"  # type: ignore[arg-type]
