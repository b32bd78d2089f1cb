import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ketline.api.tasks import events
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task import Change
from ketline.schemas.types import BELL
from ketline.service.tasks.watch import Watch
from tests.fakes import FakeTaskRepository

SECONDS = 10.0


@pytest.fixture
async def task_id(client: httpx.AsyncClient, repository: FakeTaskRepository) -> TaskId:
    await client.post("/tasks", json={"qc": BELL})
    return repository.submissions[-1].task_id


def change(watch: Watch, repository: FakeTaskRepository, task_id: TaskId, status: TaskStatus) -> None:
    repository.change(task_id, status)
    watch.on_change([Change(task_id=task_id, status=status)])


def received(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Ids and data of the events in a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            assert fields["event"] == "status"
            found.append((fields["id"], json.loads(fields["data"])))
    return found


@asynccontextmanager
async def position(
    client: httpx.AsyncClient, watch: Watch, task_id: TaskId, **headers: str
) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A stream under way that has shown the history so far."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asking = asyncio.create_task(client.get(f"/tasks/{task_id}/events", headers=named))
    async with asyncio.timeout(SECONDS):
        while not watch.watched:
            assert not asking.done(), asking.result()
            await asyncio.sleep(0)
        yield asking
        await asking
    assert watch.watched == 0


async def test_every_change_is_an_event_until_the_end(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with position(client, watch, task_id) as asking:
        change(watch, repository, task_id, TaskStatus.PROCESSING)
        await asyncio.sleep(0)
        change(watch, repository, task_id, TaskStatus.COMPLETED)
        response = await asking
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.text.startswith("retry: ")
    seen = received(response.text)
    assert [(number, data["status"]) for number, data in seen] == [
        ("1", "pending"),
        ("2", "processing"),
        ("3", "completed"),
    ]
    assert {data["task_id"] for _, data in seen} == {str(task_id)}


async def test_ended_task_gives_its_history_and_ends(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    change(watch, repository, task_id, TaskStatus.CANCELLED)
    response = await client.get(f"/tasks/{task_id}/events")
    assert [data["status"] for _, data in received(response.text)] == ["pending", "cancelled"]


async def test_resumes_after_the_last_event(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with position(client, watch, task_id, last_event_id="1") as asking:
        change(watch, repository, task_id, TaskStatus.COMPLETED)
        response = await asking
    assert [number for number, _ in received(response.text)] == ["2"]


async def test_nothing_left_to_come_stops_a_client(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    change(watch, repository, task_id, TaskStatus.COMPLETED)
    response = await client.get(f"/tasks/{task_id}/events", headers={"Last-Event-ID": "2"})
    assert (response.status_code, response.content) == (204, b"")


async def test_position_beyond_the_end_ends_with_the_task(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with position(client, watch, task_id, last_event_id="999") as asking:
        change(watch, repository, task_id, TaskStatus.COMPLETED)
        response = await asking
    assert received(response.text) == []


@pytest.mark.parametrize("place", ["-1", "soon", str(2**63), "1.5"])
async def test_bad_last_event_id_is_rejected(client: httpx.AsyncClient, task_id: TaskId, place: str) -> None:
    response = await client.get(f"/tasks/{task_id}/events", headers={"Last-Event-ID": place})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_unknown_task_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/tasks/{uuid4()}/events")
    assert (response.status_code, response.json()["code"]) == (404, "task_not_found")


async def test_stream_ends_when_the_task_is_deleted(
    client: httpx.AsyncClient, repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    async with position(client, watch, task_id):
        del repository.tasks[task_id]
        await watch.poll()


async def test_stream_ends_when_the_process_stops(client: httpx.AsyncClient, watch: Watch, task_id: TaskId) -> None:
    async with position(client, watch, task_id):
        watch.close()


async def test_stream_outlives_an_absent_database(
    repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    position = events.StreamPosition(repository, watch, task_id, 0, retry_seconds=0.0)
    stream = position.events(await position.read())
    seen = [await anext(stream) for _ in range(2)]
    repository.error = DatabaseUnavailable("away")
    assert [await anext(stream) for _ in range(2)] == [b": ping\n\n"] * 2
    repository.error = None
    repository.change(task_id, TaskStatus.COMPLETED)
    seen += [chunk async for chunk in stream]
    assert [data["status"] for _, data in received(b"".join(seen).decode())] == ["pending", "completed"]


async def test_silence_is_filled_with_pings(repository: FakeTaskRepository, watch: Watch, task_id: TaskId) -> None:
    stream = events.StreamPosition(repository, watch, task_id, 1, ping_seconds=0.01).events([])
    seen = [await anext(stream) for _ in range(4)]
    assert seen[1:] == [b": ping\n\n"] * 3
    change(watch, repository, task_id, TaskStatus.COMPLETED)
    rest = [chunk async for chunk in stream]
    assert received(b"".join(chunk for chunk in rest if not chunk.startswith(b":")).decode())[0][0] == "2"


class EndsBetweenTwoQuestions(FakeTaskRepository):
    """Its tasks end just before somebody asks how they stand."""

    async def statuses(self, task_ids: Sequence[TaskId]) -> Mapping[TaskId, tuple[TaskStatus, int]]:
        for task_id in task_ids:
            if not self.tasks[task_id].status.terminal:
                self.change(task_id, TaskStatus.COMPLETED)
        return await super().statuses(task_ids)


async def test_end_between_two_reads_is_noticed(watch: Watch) -> None:
    repository = EndsBetweenTwoQuestions()
    task_id = TaskId(uuid4())
    await repository.add(
        Submission(
            task_id=task_id, spec=TaskSpec(circuit="x", shots=1, max_attempts=1), correlation_id=CorrelationId("c")
        )
    )
    position = events.StreamPosition(repository, watch, task_id, 1)
    assert [line.status for line in await position.read()] == [TaskStatus.COMPLETED]
    assert position.ended


async def test_stream_is_pinged_while_the_database_is_down(
    repository: FakeTaskRepository, watch: Watch, task_id: TaskId
) -> None:
    stream = events.StreamPosition(repository, watch, task_id, 1, retry_seconds=0.0).events([])
    await anext(stream)
    repository.error = DatabaseUnavailable("away")
    assert [await anext(stream) for _ in range(3)] == [b": ping\n\n"] * 3


async def test_head_of_a_stream_ends(client: httpx.AsyncClient, task_id: TaskId) -> None:
    for path in (f"/tasks/{task_id}/events", "/tasks/events"):
        async with asyncio.timeout(SECONDS):
            response = await client.head(path)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["Content-Type"].startswith("text/event-stream")
