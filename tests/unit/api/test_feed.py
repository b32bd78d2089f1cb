import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ketline.api import feed
from ketline.api.feed import Feed
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.task import StatusChange, TaskId, TaskLine, TaskStatus
from ketline.service.watching import Watch
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository

SECONDS = 10.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(feed, "RETRY_SECONDS", 0.0)


async def submitted(client: httpx.AsyncClient, repository: FakeTaskRepository, *tags: str) -> TaskId:
    await client.post("/tasks", json={"qc": "x", "tags": list(tags)})
    return repository.submissions[-1].task_id


def line(task_id: TaskId, number: int, status: TaskStatus = TaskStatus.PENDING) -> TaskLine:
    change = StatusChange(line_id=number, status=status, transitioned_at=datetime.now(UTC))
    return TaskLine(task_id=task_id, change=change)


def numbers(text: str) -> list[int]:
    return [int(entry.removeprefix("id: ")) for entry in text.splitlines() if entry.startswith("id: ")]


@asynccontextmanager
async def streaming(
    client: httpx.AsyncClient, watch: Watch, query: str = "", **headers: str
) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A stream under way, which ends with the context."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asking = asyncio.create_task(client.get(f"/tasks/events{query}", headers=named))
    async with asyncio.timeout(SECONDS):
        while not watch.watched:
            assert not asking.done(), asking.result()
            await asyncio.sleep(0)
        yield asking
        await asyncio.sleep(0.05)
        watch.close()
        await asking


async def test_stream_begins_now_and_tells_what_changes(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    catalogue.feed.append(line(task_id, 5))
    async with streaming(client, watch) as asking:
        catalogue.feed.append(line(task_id, 6, TaskStatus.PROCESSING))
        watch.heard([])
    text = asking.result().text
    assert numbers(text) == [6]
    [data] = [json.loads(entry.removeprefix("data: ")) for entry in text.splitlines() if entry.startswith("data: ")]
    assert (data["task_id"], data["status"]) == (str(task_id), "processing")


async def test_stream_is_of_tasks_with_all_the_tags(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    ids = [await submitted(client, repository, *tags) for tags in (["a", "b"], ["a"], ["b", "a", "c"])]
    async with streaming(client, watch, "?tag=a&tag=b"):
        pass
    stream = Feed(catalogue, Watch(repository, watch.clock), ["a", "b"], 0).events()
    catalogue.feed += [line(task_id, number) for number, task_id in enumerate(ids, start=1)]
    await anext(stream)
    assert numbers((await anext(stream)).decode()) == [1]
    assert numbers((await anext(stream)).decode()) == [3]


async def test_stream_continues_after_the_last_event(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    catalogue.feed += [line(task_id, number) for number in range(1, 1200)]
    async with streaming(client, watch, last_event_id="3") as asking:
        await asyncio.sleep(0.2)
    assert numbers(asking.result().text) == list(range(4, 1200))


async def test_line_that_is_committed_late_is_told_once(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    stream = Feed(catalogue, watch, (), 0).events()
    await anext(stream)
    catalogue.feed.append(line(task_id, 8))
    assert numbers((await anext(stream)).decode()) == [8]
    late = line(task_id, 7)
    catalogue.feed.append(late)
    catalogue.late += catalogue.feed
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    watch.heard([])
    assert numbers((await following).decode()) == [7]
    catalogue.feed.append(line(task_id, 9))
    catalogue.late = list(catalogue.feed)
    watch.heard([])
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    watch.heard([])
    assert numbers((await following).decode()) == [9]


async def test_stream_outlives_an_absent_database(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    async with streaming(client, watch) as asking:
        repository.error = DatabaseUnavailable("away")
        watch.heard([])
        await asyncio.sleep(0.02)
        repository.error = None
        catalogue.feed.append(line(task_id, 1))
        watch.heard([])
    assert numbers(asking.result().text) == [1]


@pytest.mark.parametrize(
    ("query", "headers", "parameter"),
    [
        ("?tag=", {}, "tag.0"),
        ("?tag=" + "x" * 65, {}, "tag.0"),
        ("?" + "&".join(f"tag={number}" for number in range(21)), {}, "tag"),
        ("?tags=a", {}, "tags"),
        ("", {"Last-Event-ID": "-1"}, "last-event-id"),
        ("", {"Last-Event-ID": "soon"}, "last-event-id"),
    ],
)
async def test_bad_request_is_refused(
    client: httpx.AsyncClient, query: str, headers: dict[str, Any], parameter: str
) -> None:
    answer = await client.get(f"/tasks/events{query}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]


async def test_stream_without_a_database_is_refused(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.error = DatabaseUnavailable("away")
    answer = await client.get("/tasks/events")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
