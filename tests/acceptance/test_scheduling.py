"""Schedules, reruns, deletions and retention, in real processes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, eventually
from tests.acceptance.programs import BELL, ENDLESS

# An interval of the dispatcher is a second; the rest is for a busy machine. A lost message would be found after 30 s.
ON_TIME = timedelta(seconds=15)


def started_at(task: dict[str, Any]) -> datetime:
    [line] = [line for line in task["status_history"] if line["status"] == "processing"]
    return datetime.fromisoformat(line["transitioned_at"])


async def runs_on_time(api: Api, moment: datetime, task_id: str) -> None:
    """The task runs once, at its time and not much later."""
    task = await api.ended(task_id)
    assert (task["status"], datetime.fromisoformat(task["scheduled_for"])) == ("completed", moment)
    assert moment <= started_at(task) < moment + ON_TIME
    assert task["profile"]["queued_seconds"] < ON_TIME.total_seconds()


async def test_scheduled_task_runs_at_its_time_in_the_embedded_service(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        moment = datetime.now(UTC) + timedelta(seconds=2)
        task_id = await api.submit(BELL, scheduled_for=moment.isoformat())
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        await runs_on_time(api, moment, task_id)


async def test_scheduled_task_keeps_its_time_across_a_kill(embedded: Embedded) -> None:
    process = await embedded.up()
    async with embedded.api() as api:
        moment = datetime.now(UTC) + timedelta(seconds=8)
        task_id = await api.submit(BELL, scheduled_for=moment.isoformat())
        await process.kill()
        await embedded.up()
        assert (await api.task(task_id))["status"] == "pending"
        await runs_on_time(api, moment, task_id)


@pytest.mark.long
async def test_scheduled_task_runs_at_its_time_on_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker()
    async with distributed.api() as api:
        moment = datetime.now(UTC) + timedelta(seconds=3)
        task_id = await api.submit(BELL, scheduled_for=moment.isoformat())
        await runs_on_time(api, moment, task_id)


async def test_task_put_off_and_brought_forward_runs_at_once(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        far = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        task_id = await api.submit(BELL, scheduled_for=far)
        assert (await api.http.patch(f"/tasks/{task_id}", json={"scheduled_for": far})).status_code == 200
        assert (await api.http.patch(f"/tasks/{task_id}", json={"scheduled_for": None})).status_code == 200
        assert (await api.ended(task_id))["status"] == "completed"
        rejected = await api.http.patch(f"/tasks/{task_id}", json={"scheduled_for": far})
        assert (rejected.status_code, rejected.json()["code"]) == (409, "task_not_pending")


async def overtakes(api: Api) -> None:
    """While a program holds the one slot, tasks are lined up by priority, and tell their places."""
    running = await api.submit(ENDLESS)
    await eventually(lambda: _has_status(api, running, "processing"), "the slot is taken")
    low, zero, high = [await api.submit(BELL, priority=priority) for priority in (-5, 0, 5)]
    assert [await _place(api, task_id) for task_id in (low, zero, high)] == [3, 2, 1]
    changed = await api.http.patch(f"/tasks/{low}", json={"priority": 9})
    assert changed.json()["priority"] == 9
    assert await _place(api, low) == 1
    assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
    starts = [started_at(await api.ended(task_id)) for task_id in (low, high, zero)]
    assert starts == sorted(starts)


async def _place(api: Api, task_id: str) -> int:
    task = (await api.http.get(f"/tasks/{task_id}?queue=true")).json()
    position: int = task["queue"]["position"]
    return position


async def _has_status(api: Api, task_id: str, status: str) -> bool:
    return bool((await api.task(task_id))["status"] == status)


async def test_tasks_of_higher_priority_go_first_in_the_embedded_service(embedded: Embedded) -> None:
    await embedded.up(KETLINE_WORKER_SLOTS="1")
    async with embedded.api() as api:
        await overtakes(api)


async def test_tasks_of_higher_priority_go_first_on_the_distributed_service(distributed: Distributed) -> None:
    await distributed.start_api()
    await distributed.start_worker(KETLINE_WORKER_SLOTS="1")
    async with distributed.api() as api:
        await overtakes(api)


async def test_rerun_gives_the_same_counts_and_a_new_seed_others(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        first = await api.ended(await api.submit(BELL, shots=1000, tags=["bell"]))
        same = await api.http.post(f"/tasks/{first['task_id']}/rerun")
        new = await api.http.post(f"/tasks/{first['task_id']}/rerun", json={"seed": "new", "shots": 500})
        again = await api.ended(same.json()["task_id"])
        other = await api.ended(new.json()["task_id"])
        assert (again["result"], again["seed"]) == (first["result"], first["seed"])
        assert (other["result"]["shots"], other["seed"] != first["seed"]) == (500, True)
        assert again["rerun_of"] == other["rerun_of"] == first["task_id"]
        listed = (await api.http.get("/tasks?tag=bell&status=completed&order=submitted_at")).json()["tasks"]
        assert [task["task_id"] for task in listed] == [first["task_id"], again["task_id"], other["task_id"]]


async def test_deleted_task_is_gone(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        task_id = await api.submit(BELL, tags=["gone"])
        await api.ended(task_id)
        assert (await api.http.delete(f"/tasks/{task_id}")).status_code == 204
        assert (await api.http.get(f"/tasks/{task_id}")).status_code == 404
        assert (await api.http.get("/tasks?tag=gone")).json() == {"tasks": []}


async def test_ended_tasks_beyond_those_that_are_kept_go_by_themselves(embedded: Embedded) -> None:
    process = await embedded.up()
    async with embedded.api() as api:
        ids = [await api.submit(BELL) for _ in range(3)]
        for task_id in ids:
            await api.ended(task_id)
        waiting = await api.submit(BELL, scheduled_for=(datetime.now(UTC) + timedelta(days=1)).isoformat())
        await process.stop()
        await embedded.up(KETLINE_RETAIN_TASKS="1")

        async def two_left() -> list[dict[str, Any]] | None:
            listed: list[dict[str, Any]] = (await api.http.get("/tasks")).json()["tasks"]
            return listed if len(listed) == 2 else None

        left = await eventually(two_left, "one ended task, and the one that waits")
        assert [task["status"] for task in left] == ["pending", "completed"]
        assert left[0]["task_id"] == waiting
