"""The distributed service on Redis: restarts, losses, foreign messages, and what operators see of it."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Distributed, distributed_on
from tests.acceptance.processes import Fleet, eventually, wait_until_healthy
from tests.acceptance.programs import BELL, long_program
from tests.servers import RedisServer

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def private(
    fleet: type[Fleet],
    tmp_path: Path,
    postgres_url: str,
    private_redis_server: Callable[..., Awaitable[RedisServer]],
) -> tuple[RedisServer, Distributed]:
    """A service on a Redis of its own, which keeps nothing over a restart."""
    server = await private_redis_server()
    return server, distributed_on(fleet, tmp_path, postgres_url, server.url)


async def test_service_starts_accepts_and_runs_later_while_redis_is_down(
    private: tuple[RedisServer, Distributed],
) -> None:
    redis, service = private
    await redis.stop()
    check = await service.fleet.start("check")
    assert await check.process.wait() == 3
    assert "The broker" in check.output.read_text()
    await service.start_api()
    await service.start_worker()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http:
        began = time.monotonic()
        health = await http.get("/health")
        assert time.monotonic() - began < 2
        assert health.status_code == 503
        assert (health.json()["database_status"], health.json()["queue_status"]) == ("connected", "disconnected")
        accepted = await http.post("/tasks", json={"qc": BELL})
        assert accepted.status_code == 202
    await redis.start()
    async with service.api() as api:
        assert (await api.ended(accepted.json()["task_id"]))["status"] == "completed"
        await redis.kill()
        ids = [await api.submit(BELL) for _ in range(10)]
        await redis.start()
        for task_id in ids:
            assert (await api.ended(task_id))["status"] == "completed"
        await wait_until_healthy(api)


@pytest.mark.parametrize("how", ["FLUSHALL", pytest.param("kill", marks=pytest.mark.long)])
async def test_running_task_survives_a_redis_that_forgets_everything(
    private: tuple[RedisServer, Distributed], how: str
) -> None:
    redis, service = private
    await service.start_api(KETLINE_REDISPATCH_S="1")
    worker = await service.start_worker(KETLINE_REDISPATCH_S="1")
    async with service.api() as api:
        # It runs on while Redis restarts, which takes longer than to forget.
        task_id = await api.submit(long_program(rounds=480 if how == "kill" else 120))
        await api.reached(task_id, "processing")
        waiting = [await api.submit(BELL) for _ in range(5)]
        if how == "kill":
            await redis.kill()
            await redis.start()
        else:
            await redis.command(how)
        task = await api.ended(task_id)
        for other in waiting:
            assert (await api.ended(other))["status"] == "completed"
    assert task["status"] == "completed"
    assert task["status_history"][-1]["attempt"] == 1
    started = [line["task_id"] for line in worker.log_lines() if line["event"] == "task.started"]
    assert sorted(started) == sorted([task_id, *waiting]), "each ran once"


@pytest.mark.long
async def test_task_that_runs_for_longer_than_a_lease_keeps_its_message(
    private: tuple[RedisServer, Distributed],
) -> None:
    """Another worker would otherwise get it, and claim another task or none."""
    redis, service = private
    lease: dict[str, Any] = {"KETLINE_LEASE_S": "0.5"}
    await service.start_api(**lease)
    for number in range(2):
        await service.start_worker(f"worker-{number}", KETLINE_SHORT_TASK_S="0", **lease)
    name = service.fleet.environment["TASK_QUEUE_NAME"]
    async with service.api() as api:
        task_id = await api.submit(long_program(rounds=480))
        await api.reached(task_id, "processing")
        (before,) = await redis.command("XRANGE", name, "-", "+")
        await asyncio.sleep(3.0)  # more than a message may be silent
        (after,) = await redis.command("XRANGE", name, "-", "+")
        assert before[0] == after[0], "it was returned to the queue"
        assert (await api.ended(task_id))["status"] == "completed"

        async def empty() -> bool:
            return bool(await redis.command("XLEN", name) == 0)

        await eventually(empty, "an empty stream")


async def test_foreign_messages_are_shown_and_readable_ones_requeued(
    private: tuple[RedisServer, Distributed],
) -> None:
    redis, service = private
    await service.start_api()
    await service.start_worker()
    name = service.fleet.environment["TASK_QUEUE_NAME"]
    async with service.api() as api:
        for fields in (("body", "not json"), ("body", '{"task_id": 5}'), ("theirs", "1")):
            await redis.command("XADD", name, "*", *fields)

        async def three_set_aside() -> bool:
            return bool(await redis.command("XLEN", f"{name}.dead") == 3)

        await eventually(three_set_aside, "three dead letters")
        task_id = (await api.ended(await api.submit(BELL)))["task_id"]
        await redis.command(
            "XADD", f"{name}.dead", "*", "reason", "delivery_limit", "body", f'{{"task_id":"{task_id}"}}'
        )
        page = (await api.http.get("/ui/system")).text
        dead = page[page.index("dead-title") :]
        assert re.search(r">4<", dead)
        for text in ("delivery_limit", "rejected", "the message is not JSON", "the entry has no field body"):
            assert text in dead
        requeued = await api.http.post("/ui/dead-letters/requeue", headers={"Origin": str(api.http.base_url)})
        assert requeued.status_code == 303

        async def requeued_one() -> bool:
            return [await redis.command("XLEN", stream) for stream in (name, f"{name}.dead")] == [0, 3]

        await eventually(requeued_one, "the readable one requeued, delivered and acknowledged")
        assert (await api.ended(task_id))["status"] == "completed"


async def test_dead_workers_leave_no_consumers(private: tuple[RedisServer, Distributed]) -> None:
    redis, service = private
    lease: dict[str, Any] = {"KETLINE_LEASE_S": "0.5"}
    await service.start_api(**lease)
    name = service.fleet.environment["TASK_QUEUE_NAME"]
    async with service.api() as api:
        for number in range(3):
            doomed = await service.start_worker(f"doomed-{number}", **lease)
            assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
            await doomed.kill()
        await service.start_worker("heir", **lease)
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"

        async def only_the_heirs() -> bool:
            consumers = await redis.command("XINFO CONSUMERS", name, "workers")
            return bool(consumers) and all(found["name"].startswith(b"heir ") for found in consumers)

        await eventually(only_the_heirs, "the removal of dead consumers")
