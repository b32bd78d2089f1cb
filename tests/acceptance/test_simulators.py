"""Workers whose simulators cannot be started for a while: real processes, whose limits are lowered and restored."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, KetlineProcess, eventually
from tests.acceptance.programs import BELL

BEAT: dict[str, Any] = {"KETLINE_WORKER_BEAT_S": "0.3", "KETLINE_LOG_LEVEL": "info"}
TASKS = 12

pytestmark = pytest.mark.timeout(300)


@contextmanager
def without_descriptors(process: KetlineProcess) -> Iterator[None]:
    """No file, socket or pipe can be opened by the process any more; those it has stay open."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


async def kill_simulators(process: KetlineProcess) -> None:
    """Kill its idle simulators; a slot notices that by itself."""
    for pid in process.children():
        os.kill(pid, signal.SIGKILL)

    async def ended() -> bool:
        return all(map(_has_ended, process.children()))

    await eventually(ended, "the end of the simulators")


def _has_ended(pid: int) -> bool:
    """Whether the process has ended, and perhaps its parent has noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def condition_of(api: Api, worker_id: str) -> tuple[int | None, str | None]:
    workers = (await api.http.get("/workers")).json()["workers"]
    [worker] = [worker for worker in workers if worker["worker_id"] == worker_id] or [{}]
    return worker.get("ready_slots"), worker.get("problem")


async def test_tasks_wait_unspent_while_the_only_worker_has_no_simulator(distributed: Distributed) -> None:
    await distributed.start_api(**BEAT)
    worker = await distributed.start_worker("lame", **{"KETLINE_MAX_CRASHES": "1", **BEAT})
    async with distributed.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        with without_descriptors(worker):
            await kill_simulators(worker)
            ids = [await api.submit(BELL) for _ in range(TASKS)]

            async def told() -> bool:
                ready, problem = await condition_of(api, "lame")
                return ready == 0 and "Too many open files" in (problem or "")

            await eventually(told, "a worker that says what it lacks")
            await worker.logged("slot.without_simulator")
            assert {(await api.task(task_id))["status"] for task_id in ids} == {"pending"}
            lines = [line for task_id in ids for line in (await api.task(task_id))["status_history"]]
            causes = [line["cause"] for line in lines if "cause" in line]
            # A slot that has noticed takes none; a task that it had taken before is handed back.
            assert causes in ([], ["simulator_not_started"])
        tasks = [await api.ended(task_id) for task_id in ids]
        assert {task["status"] for task in tasks} == {"completed"}

        async def recovered() -> bool:
            return await condition_of(api, "lame") == (1, None)

        await eventually(recovered, "a worker that lacks nothing")
    await worker.logged("slot.recovered")
    assert not [line for line in worker.log_lines() if line["event"] == "slot.crashed"]


async def test_sound_worker_runs_what_another_cannot(distributed: Distributed) -> None:
    await distributed.start_api(**BEAT)
    lame, sound = [await distributed.start_worker(name, **BEAT) for name in ("lame", "sound")]
    async with distributed.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        with without_descriptors(lame):
            await kill_simulators(lame)
            ids = [await api.submit(BELL) for _ in range(TASKS)]
            tasks = [await api.ended(task_id) for task_id in ids]
    assert {task["status"] for task in tasks} == {"completed"}
    assert {task["status_history"][-1]["worker_id"] for task in tasks} == {"sound"}
    assert sound.process.returncode is None


async def test_embedded_service_is_not_ready_without_simulators(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1", **BEAT)
    async with embedded.api() as api:  # its connection stays open, no other can be opened meanwhile
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        assert (await api.http.get("/readyz")).status_code == 200
        with without_descriptors(process):
            await kill_simulators(process)
            task_id = await api.submit(BELL)

            async def unready() -> bool:
                response = await api.http.get("/readyz")
                return response.status_code == 503 and response.json()["missing"] == ["simulators"]

            await eventually(unready, "a service that is not ready")
            response = (await api.http.get("/readyz")).json()
            assert "Too many open files" in response["simulator_problem"]
            assert (await api.task(task_id))["status"] == "pending"
        assert (await api.ended(task_id))["status"] == "completed"

        async def ready() -> bool:
            return (await api.http.get("/readyz")).status_code == 200

        await eventually(ready, "a service that is ready")
