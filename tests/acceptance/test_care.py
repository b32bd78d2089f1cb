"""Operators stop claims, drain a worker, and intervene in tasks, by commands on the database of real processes."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Fleet, eventually
from tests.acceptance.programs import BELL, ENDLESS

pytestmark = pytest.mark.timeout(300)


async def typed(fleet: Fleet, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """The exit status, output and errors of a command in the environment of the service."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ketline", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=fleet.directory,
        env={**os.environ, **fleet.environment, **environment},
    )
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def printed(fleet: Fleet, *arguments: str, **environment: str) -> Any:
    """The JSON that a command prints."""
    status, output, errors = await typed(fleet, *arguments, "--json", **environment)
    assert status == 0, errors
    return json.loads(output)


async def test_pause_outlives_a_restart_and_submissions_wait_for_its_end(embedded: Embedded) -> None:
    data, process = ("--data-dir", str(embedded.data_dir)), await embedded.up()
    async with embedded.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        running = await api.submit(ENDLESS)
        await api.reached(running, "processing")
        [pause] = await printed(embedded.fleet, "admin", "pause", "--reason", "disk is full", *data)
        assert (pause["queue"], pause["reason"]) == ("all", "disk is full")
        await process.logged("worker.claim_stops_changed", paused=["all"])
        waiting = await api.submit(BELL)
        assert (await api.http.get("/health")).json()["paused"] is True
        assert (await api.task(running))["status"] == "processing"
        assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
    await process.kill()
    process = await embedded.up()
    async with embedded.api() as api:
        await process.logged("worker.claim_stops_changed", paused=["all"])
        again = await api.submit(BELL)
        assert [(await api.task(one))["status"] for one in (waiting, again)] == ["pending", "pending"]
        assert "task.started" not in {line["event"] for line in process.log_lines()}
        assert await printed(embedded.fleet, "admin", "resume", *data) == []
        for one in (waiting, again):
            assert (await api.ended(one))["status"] == "completed"
        assert "paused" not in (await api.http.get("/health")).json()


async def test_worker_is_drained_while_another_takes_its_place(distributed: Distributed) -> None:
    fleet = distributed.fleet
    await distributed.start_api()
    first = await distributed.start_worker("worker-1")
    async with distributed.api() as api:
        running = await api.submit(ENDLESS)
        await api.reached(running, "processing")
        drain = await printed(fleet, "admin", "drain", "worker-1")
        assert (drain["tasks"], "drained_at" in drain) == (1, False)
        await first.logged("worker.claim_stops_changed", draining=True)
        waiting = await api.submit(BELL)
        status, _, errors = await typed(fleet, "admin", "drain", "worker-1", "--wait", "--timeout", "1")
        assert (status, "still holds 1 tasks" in errors) == (4, True)
        await distributed.start_worker("worker-2")
        ended = await api.ended(waiting)
        assert (ended["status"], ended["status_history"][1]["worker_id"]) == ("completed", "worker-2")
        assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
        drained = await printed(fleet, "admin", "drain", "worker-1", "--wait", "--timeout", "60")
        assert (drained["tasks"], "drained_at" in drained) == (0, True)
        [shown, _] = (await api.http.get("/workers")).json()["workers"]
        assert {"draining_since", "drained_at"} <= set(shown)
        assert await first.stop() == 0
        status, _, errors = await typed(fleet, "admin", "drain", "worker-1")
        assert (status, "No live worker has the id 'worker-1'" in errors) == (2, True)


async def test_task_of_a_killed_worker_is_taken_back_before_its_lease_ends(distributed: Distributed) -> None:
    fleet = distributed.fleet
    fleet.environment |= {"KETLINE_LEASE_S": "600", "KETLINE_WORKER_BEAT_S": "0.5"}
    await distributed.start_api()
    first = await distributed.start_worker("worker-1")
    async with distributed.api() as api:
        task_id, other = await api.submit(ENDLESS), await api.submit(BELL)
        await api.reached(task_id, "processing")
        status, _, errors = await typed(fleet, "admin", "requeue", task_id)
        assert (status, "which is alive" in errors) == (1, True)
        await first.kill()

        async def gone() -> bool:
            return not (await api.http.get("/workers")).json()["workers"]

        await eventually(gone, "no live worker")
        await typed(fleet, "admin", "pause", "--queue", "convert")
        assert await printed(fleet, "admin", "requeue", task_id) == [{"task_id": task_id, "requeued": "taken_back"}]
        await distributed.start_worker("worker-2")
        await api.reached(task_id, "processing")
        history = (await api.task(task_id))["status_history"]
        assert [line.get("cause") for line in history] == [None, None, "requeued", None]
        failed = await printed(fleet, "admin", "fail", task_id, "--reason", "it never ends")
        assert failed == [{"task_id": task_id, "outcome": "failed"}]
        ended = await api.ended(task_id)
        assert (ended["status"], ended["error"]["code"]) == ("failed", "failed_by_administrator")
        assert "it never ends" in ended["error"]["message"]
        assert (await api.ended(other))["status"] == "completed"
        status, _, errors = await typed(fleet, "admin", "fail", other, "--reason", "too late")
        assert (status, "its outcome cannot change" in errors) == (1, True)


async def test_vacuum_deletes_by_retention_and_returns_the_space(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        for task_id in [await api.submit(BELL + f"// {'x' * 200_000}") for _ in range(5)]:
            await api.ended(task_id)
        data = ("--data-dir", str(embedded.data_dir))
        done = await printed(embedded.fleet, "admin", "vacuum", *data, KETLINE_RETAIN_TASKS="1")
        assert done["tasks_deleted"] == 4
        assert done["total_bytes_after"] < done["total_bytes_before"]
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
