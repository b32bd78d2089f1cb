import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ketline.api.tasks import line_reader
from ketline.api.tasks.broadcast import BroadcastOptions, StreamStart
from ketline.api.tasks.feed import events
from ketline.api.tasks.publisher import Broadcasts
from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import StatusChange, TaskLine
from ketline.service.tasks.watch import Watch
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository

SECONDS = 10.0
HELD_BYTES = 300_000


@pytest.fixture(autouse=True)
def broadcasts(app: FastAPI, catalogue: FakeTaskCatalogue, watch: Watch) -> Broadcasts:
    """Those of the application, which wait for nothing."""
    app.state.broadcasts[DEFAULT_PROJECT] = Broadcasts(
        catalogue, watch, BroadcastOptions(gather_seconds=0.0, retry_seconds=0.0, held_bytes=HELD_BYTES)
    )
    return app.state.broadcasts[DEFAULT_PROJECT]  # type: ignore[no-any-return]


async def submitted(client: httpx.AsyncClient, repository: FakeTaskRepository, *tags: str) -> TaskId:
    await client.post("/tasks", json={"qc": "x", "tags": list(tags)})
    return repository.submissions[-1].task_id


def line(task_id: TaskId, number: int, status: TaskStatus = TaskStatus.PENDING) -> TaskLine:
    change = StatusChange(line_id=number, status=status, transitioned_at=datetime.now(UTC))
    return TaskLine(task_id=task_id, change=change)


def numbers(text: str) -> list[int]:
    return [int(entry.removeprefix("id: ")) for entry in text.splitlines() if entry.startswith("id: ")]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - the condition is other tasks' of this loop
            await asyncio.sleep(0)


@asynccontextmanager
async def streaming(
    client: httpx.AsyncClient, watch: Watch, catalogue: FakeTaskCatalogue, **headers: str
) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A stream under way, which ends with the context, when all lines are read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asking = asyncio.create_task(client.get("/tasks/events", headers=named))
    async with asyncio.timeout(SECONDS):
        while not watch.watched:
            assert not asking.done(), asking.result()
            await asyncio.sleep(0)
        yield asking
        await until(lambda: catalogue.last_read == max(line.change.line_id for line in catalogue.feed))
        watch.close()
        await asking


async def test_stream_begins_now_and_tells_what_changes(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    catalogue.feed.append(line(task_id, 5))
    async with streaming(client, watch, catalogue) as asking:
        catalogue.feed.append(line(task_id, 6, TaskStatus.PROCESSING))
        watch.on_change([])
    text = asking.result().text
    assert numbers(text) == [6]
    [data] = [json.loads(entry.removeprefix("data: ")) for entry in text.splitlines() if entry.startswith("data: ")]
    assert (data["task_id"], data["status"]) == (str(task_id), "processing")


async def test_stream_is_of_tasks_with_all_the_tags(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, broadcasts: Broadcasts
) -> None:
    ids = [await submitted(client, repository, *tags) for tags in (["a", "b"], ["a"], ["b", "a", "c"])]
    stream = events(broadcasts, ["a", "b"], await broadcasts.end(["a", "b"]))
    catalogue.feed += [line(task_id, number) for number, task_id in enumerate(ids, start=1)]
    await anext(stream)
    assert numbers((await anext(stream)).decode()) == [1, 3]
    await stream.aclose()


async def test_listeners_share_what_is_read_and_written(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, broadcasts: Broadcasts
) -> None:
    task_id = await submitted(client, repository)
    streams = [events(broadcasts, (), await broadcasts.end(())) for _ in range(3)]
    for stream in streams:
        await anext(stream)
    following = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await until(lambda: broadcasts.watch.watched == 1)
    catalogue.feed.append(line(task_id, 1))
    broadcasts.watch.on_change([])
    first, *others = [await one for one in following]
    assert numbers(first.decode()) == [1]
    assert all(other is first for other in others)
    for stream in streams:
        await stream.aclose()
    await asyncio.sleep(0)
    assert broadcasts.watch.watched == 0


async def test_streams_with_different_tags_share_what_is_read(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, broadcasts: Broadcasts
) -> None:
    """A reader of one project could otherwise occupy the database with streams, for all."""
    ids = [await submitted(client, repository, f"tag {number}", "all") for number in range(4)]
    sets = [*([f"tag {number}"] for number in range(4)), ["all"], ["all", "tag 2"], []]
    others = [[f"unused {number}"] for number in range(50)]
    streams = [events(broadcasts, tags, await broadcasts.end(tags)) for tags in (*sets, *others)]
    for stream in streams:
        await anext(stream)
    following = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await until(lambda: broadcasts.watch.watched == 1)
    reads = catalogue.line_reads
    catalogue.feed += [line(task_id, number) for number, task_id in enumerate(ids, start=1)]
    broadcasts.watch.on_change([])
    seen = [numbers((await one).decode()) for one in following[: len(sets)]]
    assert seen == [[1], [2], [3], [4], [1, 2, 3, 4], [3], [1, 2, 3, 4]]
    assert catalogue.line_reads - reads < 5
    for waiting in following[len(sets) :]:
        waiting.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    for stream in streams:
        await stream.aclose()
    await until(lambda: broadcasts.watch.watched == 0)


async def test_listener_that_is_left_behind_is_cut_off_and_the_others_are_not(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, broadcasts: Broadcasts
) -> None:
    task_id = await submitted(client, repository)
    slow, quick = [events(broadcasts, (), await broadcasts.end(())) for _ in range(2)]
    for stream in (slow, quick):
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await until(lambda: broadcasts.watch.watched == 1)
        catalogue.feed.append(line(task_id, len(catalogue.feed) + 1))
        broadcasts.watch.on_change([])
        await waiting
    sent = 0
    while sent <= 2 * HELD_BYTES:
        start = len(catalogue.feed) + 1
        catalogue.feed += [line(task_id, number) for number in range(start, start + line_reader.LINES_AT_ONCE)]
        broadcasts.watch.on_change([])
        sent += len(await anext(quick))
    assert [part async for part in slow] == []
    await quick.aclose()


async def test_more_young_lines_than_are_read_at_once_hold_nothing_up(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, broadcasts: Broadcasts
) -> None:
    task_id = await submitted(client, repository)
    stream = events(broadcasts, (), await broadcasts.end(()))
    await anext(stream)
    told: list[int] = []
    for start in range(1, 3000, 600):
        catalogue.feed += [line(task_id, number) for number in range(start, start + 600)]
        catalogue.late = list(catalogue.feed)
        broadcasts.watch.on_change([])
        async with asyncio.timeout(SECONDS):
            while len(told) < start + 599:
                told += numbers((await anext(stream)).decode())
    assert told == list(range(1, 3001))
    await stream.aclose()


async def test_silence_is_filled_with_pings_however_often_the_watch_polls(
    catalogue: FakeTaskCatalogue, repository: FakeTaskRepository
) -> None:
    watch = Watch(repository, poll_seconds=0.001)
    broadcasts = Broadcasts(catalogue, watch, BroadcastOptions(gather_seconds=0.0, ping_seconds=0.1))
    stream = events(broadcasts, (), await broadcasts.end(()))
    polling = asyncio.create_task(watch.run())
    async with asyncio.timeout(SECONDS):
        seen = [await anext(stream) for _ in range(4)]
    assert seen[1:] == [b": ping\n\n"] * 3
    await stream.aclose()
    polling.cancel()
    await asyncio.wait([polling])


async def test_stream_continues_after_the_last_event(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    catalogue.feed += [line(task_id, number) for number in range(1, 1200)]
    async with streaming(client, watch, catalogue, last_event_id="3") as asking:
        pass
    assert numbers(asking.result().text) == list(range(4, 1200))


async def test_line_that_is_committed_late_is_sent_once(
    client: httpx.AsyncClient,
    repository: FakeTaskRepository,
    catalogue: FakeTaskCatalogue,
    watch: Watch,
    broadcasts: Broadcasts,
) -> None:
    task_id = await submitted(client, repository)
    stream = events(broadcasts, (), StreamStart(0))
    await anext(stream)
    catalogue.feed.append(line(task_id, 8))
    assert numbers((await anext(stream)).decode()) == [8]
    late = line(task_id, 7)
    catalogue.feed.append(late)
    catalogue.late += catalogue.feed
    watch.on_change([])
    assert numbers((await anext(stream)).decode()) == [7]
    catalogue.feed.append(line(task_id, 9))
    catalogue.late = list(catalogue.feed)
    watch.on_change([])
    assert numbers((await anext(stream)).decode()) == [9]


async def test_stream_outlives_an_absent_database(
    client: httpx.AsyncClient, repository: FakeTaskRepository, catalogue: FakeTaskCatalogue, watch: Watch
) -> None:
    task_id = await submitted(client, repository)
    async with streaming(client, watch, catalogue) as asking:
        repository.error = DatabaseUnavailable("away")
        watch.on_change([])
        await until(lambda: repository.failures > 0)
        repository.error = None
        catalogue.feed.append(line(task_id, 1))
        watch.on_change([])
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
async def test_bad_request_is_rejected(
    client: httpx.AsyncClient, query: str, headers: dict[str, Any], parameter: str
) -> None:
    response = await client.get(f"/tasks/events{query}", headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


async def test_stream_without_a_database_is_rejected(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    repository.error = DatabaseUnavailable("away")
    response = await client.get("/tasks/events")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
