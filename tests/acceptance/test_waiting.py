"""Clients that wait for the end of a task, at real processes in both modes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, KetlineProcess
from tests.acceptance.programs import BELL, ENDLESS, long_program
from tests.blocks import long_after

LONG_WAIT = 60


@pytest.fixture(params=long_after(1, ["distributed", "embedded"]))
def service(request: pytest.FixtureRequest) -> Embedded | Distributed:
    """Runs the test once in each mode, embedded with `--long`."""
    found: Embedded | Distributed = request.getfixturevalue(request.param)
    return found


@asynccontextmanager
async def running(service: Embedded | Distributed) -> AsyncIterator[tuple[KetlineProcess, Api]]:
    """A whole service: the process that answers, and a client of it."""
    if isinstance(service, Distributed):
        process = await service.start_api()
        await service.start_worker()
    else:
        process = await service.up(KETLINE_SHUTDOWN_GRACE_S="0.5")
    async with service.api() as api:
        yield process, api


async def test_submission_is_answered_with_its_counts(service: Embedded | Distributed) -> None:
    async with running(service) as (_, api):
        response = await api.http.post(
            "/tasks", json={"qc": BELL, "shots": 100}, headers={"Prefer": f"wait={LONG_WAIT}"}, timeout=LONG_WAIT + 5
        )
        assert (response.status_code, response.json()["status"]) == (200, "completed")
        assert sum(response.json()["result"]["counts"].values()) == 100


async def test_stream_tells_a_task_from_its_beginning_to_its_end(service: Embedded | Distributed) -> None:
    async with running(service) as (_, api):
        task_id = await api.submit(long_program(rounds=120))
        statuses = []
        async with asyncio.timeout(LONG_WAIT), api.http.stream("GET", f"/tasks/{task_id}/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    statuses.append(json.loads(line.removeprefix("data: "))["status"])
        assert statuses == ["pending", "processing", "completed"]


async def test_one_stream_tells_of_all_tasks_with_a_tag(service: Embedded | Distributed) -> None:
    async with running(service) as (_, api):
        seen: dict[str, list[str]] = {}
        async with asyncio.timeout(LONG_WAIT), api.http.stream("GET", "/tasks/events?tag=mine") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            await api.submit(BELL, tags=["other"])
            mine = [await api.submit(BELL, tags=["mine", str(number)]) for number in range(5)]
            while sum(statuses[-1:] == ["completed"] for statuses in seen.values()) < len(mine):
                if (line := await anext(lines)).startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    seen.setdefault(event["task_id"], []).append(event["status"])
        assert seen == {task_id: ["pending", "processing", "completed"] for task_id in mine}


async def test_stop_answers_those_who_wait(service: Embedded | Distributed) -> None:
    async with running(service) as (process, api):
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
        polling = asyncio.create_task(api.http.get(f"/tasks/{task_id}?wait={LONG_WAIT}"))
        async with api.http.stream("GET", f"/tasks/{task_id}/events") as stream:
            lines = stream.aiter_lines()
            while not (await anext(lines)).startswith("data: "):
                pass
            await asyncio.gather(_read_to_the_end(lines), process.stop())
        response = await polling
        assert (response.status_code, response.json()["status"]) == (200, "processing")


async def _read_to_the_end(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass


async def test_waiting_clients_that_go_away_leave_the_service_well(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        task_id = await api.submit(ENDLESS)
        for path in (f"/tasks/{task_id}?wait={LONG_WAIT}", f"/tasks/{task_id}/events"):
            for _ in range(20):
                with pytest.raises(httpx.ReadTimeout):
                    await api.http.get(path, timeout=httpx.Timeout(LONG_WAIT, read=0.05))
        assert (await api.http.post(f"/tasks/{task_id}/cancel")).status_code == 200
        response = await api.http.get(f"/tasks/{task_id}?wait={LONG_WAIT}")
        assert response.json()["status"] == "cancelled"
