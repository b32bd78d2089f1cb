"""Text that no database stores, in every parameter and segment of an address: rejected before a response begins."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from ketline.api.rights import RIGHTS
from ketline.cli.server.serve import application
from ketline.config import Settings
from ketline.runtime.api import open_api

HOSTILE = {"NUL": "%00", "NUL inside": "a%00b", "half a surrogate pair": "%ED%A0%80", "not UTF-8": "%FF"}
SECONDS = 10.0
# A parameter that is not described, and those of pages, which are not described at all.
MORE = [
    ("/tasks/{task_id}", "unknown"),
    *(("/ui/tasks", name) for name in ("status", "tag", "name", "search", "worker", "cursor", "submitted_after")),
    *(("/ui", name) for name in ("example", "copy", "from", "task")),
    ("/ui/tasks/{task_id}", "order"),
]


@pytest.fixture
async def app(postgres_url: str) -> AsyncIterator[FastAPI]:
    """The API on PostgreSQL, without its queue."""
    settings = Settings(
        database_url=SecretStr(postgres_url),
        rabbitmq_url=SecretStr("amqp://guest:guest@127.0.0.1:1/"),
        log_level="error",
    )
    async with open_api(settings) as service:
        yield application(settings, service, asyncio.Event())


def described(app: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Method, path and name of each query parameter."""
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    yield method, path, parameter["name"]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(120)
async def test_hostile_text_in_any_parameter_is_rejected_at_once(app: FastAPI, text: str) -> None:
    found = [*described(app), *(("get", path, name) for path, name in MORE)]
    assert ("get", "/tasks/events", "tag") in found
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path, name in found:
            address = f"{path.replace('{task_id}', str(UUID(int=1)))}?{name}={text}"
            async with asyncio.timeout(SECONDS):
                response = await client.request(method, address)
            assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), (method, address)
            assert response.json()["errors"][0]["parameter"] == name


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_in_any_path_is_no_defect(app: FastAPI, text: str) -> None:
    paths = {
        re.sub(r"\{\w+\}", text, route)
        for route in [
            *app.openapi()["paths"],
            "/docs/assets/{edition}/{name}",
            "/ui/assets/{edition}/{name}",
            "/ui/keys/{key_id}/rotate",
            "/ui/keys/{key_id}/revoke",
            "/{name}",
        ]
        if "{" in route
    }
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in sorted(paths):
            for method in ("GET", "POST", "DELETE", "PATCH"):
                async with asyncio.timeout(SECONDS):
                    response = await client.request(method, path)
                assert response.status_code in {404, 405, 415, 422}, (method, path, response.status_code, response.text)


@pytest.mark.parametrize("value", [b"a\x00b", b"\xed\xa0\x80", b"\xff"])
@pytest.mark.parametrize(
    ("name", "outcome"),
    [("Idempotency-Key", 422), ("X-Correlation-ID", 202), ("traceparent", 202), ("Prefer", 202), ("Content-Type", 415)],
)
async def test_hostile_header_of_a_submission_is_rejected_or_not_stored(
    app: FastAPI, name: str, value: bytes, outcome: int
) -> None:
    headers = [(b"Content-Type", b"application/json")] if name != "Content-Type" else []
    headers.append((name.encode(), value))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post("/tasks", content=b'{"qc": "x"}', headers=headers)
        assert response.status_code == outcome, response.text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.timeout(120)
async def test_hostile_text_in_any_segment_of_a_path_is_rejected(app: FastAPI, text: str) -> None:
    found = [(method, path) for method, path in RIGHTS if "{" in path]
    assert ("DELETE", "/keys/{key_id}") in found
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in found:
            for parameter in re.findall(r"\{\w+\}", path):
                address = path.replace(parameter, text).replace("{task_id}", str(UUID(int=1)))
                async with asyncio.timeout(SECONDS):
                    response = await client.request(method, re.sub(r"\{\w+\}", "1", address))
                assert response.status_code in {404, 405, 415, 422}, (method, address, response.text)
