"""Backups of a live service and the return to them, by the commands of docs/operations.md."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, Fleet, eventually
from tests.acceptance.programs import BELL, ENDLESS
from tests.acceptance.test_care import printed, typed
from tests.servers.binaries import find_postgres

pytestmark = pytest.mark.timeout(300)
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def commands() -> list[str]:
    """The blocks of commands of the page's section on backups, in order."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Backup and restore\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


async def typed_from_page(fleet: Fleet, number: int, **environment: str) -> tuple[int, str]:
    """The exit status and the output of a block of the page, as a shell runs it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), str(find_postgres()), os.environ["PATH"]])
    process = await asyncio.create_subprocess_exec(
        *("sh", "-euc", commands()[number]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=fleet.directory,
        env={**os.environ, **fleet.environment, "PATH": path, **environment},
    )
    async with asyncio.timeout(120):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def counts(task: dict[str, Any]) -> object:
    assert task["status"] == "completed"
    return task["result"]["counts"]


async def is_unknown(api: Api, task_id: str) -> bool:
    response = await api.http.get(f"/tasks/{task_id}")
    return response.status_code == 404 and response.json()["code"] == "task_not_found"


async def test_embedded_service_returns_to_a_backup_of_an_hour_ago(embedded: Embedded, tmp_path: Path) -> None:
    fleet, file = embedded.fleet, tmp_path / "copy.db"
    here = {"KETLINE_DATA_DIR": str(embedded.data_dir), "BACKUP": str(file)}
    process = await embedded.up(KETLINE_WORKER_SLOTS="1")
    async with embedded.api() as api:
        ended = await api.submit(BELL)
        of_ended = counts(await api.ended(ended))
        running = await api.submit(ENDLESS)
        await api.reached(running, "processing")
        waiting = await api.submit(BELL)
        status, output = await typed_from_page(fleet, 0, **here)
        assert (status, "3 tasks" in output) == (0, True), output
        status, output = await typed_from_page(fleet, 0, **here)
        assert (status, "There is a file at" in output) == (2, True)
        assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
        of_waiting = counts(await api.ended(waiting))
        later = await api.submit(BELL)
        await api.ended(later)
        status, output = await typed_from_page(fleet, 1, **here)
        assert (status, "Another Ketline process uses this data directory" in output) == (2, True)
    assert await process.stop() == 0
    status, _, errors = await typed(fleet, "restore", str(file), **here)
    assert (status, "--replace" in errors) == (2, True)
    status, output = await typed_from_page(fleet, 1, **here)
    assert (status, "1 tasks that were running wait again" in output) == (0, True), output
    await embedded.up(KETLINE_WORKER_SLOTS="1")
    async with embedded.api() as api:
        assert counts(await api.task(ended)) == of_ended
        again = await api.reached(running, "processing")
        assert [line.get("cause") for line in again["status_history"]] == [None, None, "requeued", None]
        assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
        assert counts(await api.ended(waiting)) == of_waiting
        assert await is_unknown(api, later)
        actions = (await api.http.get("/audit")).json()["entries"]
        assert "database.restored" in {one["action"] for one in actions}


async def test_distributed_service_returns_to_a_dump_with_messages_of_before_in_the_broker(
    distributed: Distributed, postgres_url: str, tmp_path: Path
) -> None:
    fleet, name = distributed.fleet, f"restored_{uuid4().hex}"
    new_url = f"{postgres_url.rpartition('/')[0]}/{name}"
    here = {
        "BACKUP": str(tmp_path / "ketline.dump"),
        "PG_URL": postgres_url.replace("+asyncpg", ""),
        "PG_NEW_URL": new_url.replace("+asyncpg", ""),
        "NEW_NAME": name,
    }
    processes = [await distributed.start_api(), await distributed.start_worker()]
    async with distributed.api() as api:
        ended = await api.submit(BELL)
        of_ended = counts(await api.ended(ended))
        running = await api.submit(ENDLESS)
        await api.reached(running, "processing")
        waiting = await api.submit(BELL)
        status, output = await typed_from_page(fleet, 2, **here)
        assert status == 0, output
        assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
        of_waiting = counts(await api.ended(waiting))
        await printed(fleet, "admin", "pause")
        await processes[1].logged("worker.claim_stops_changed", paused=["all"])
        later = await api.submit(BELL)
        await eventually(lambda: has_message(fleet), "a message at the broker")
    for process in processes:
        assert await process.stop() == 0
    status, output = await typed_from_page(fleet, 3, **here, DATABASE_URL=new_url)
    assert (status, f"{running}\ttaken_back" in output) == (0, True), output
    await distributed.start_api(DATABASE_URL=new_url)
    worker = await distributed.start_worker("worker-2", slots=1, DATABASE_URL=new_url)
    async with distributed.api() as api:
        again = await api.reached(running, "processing")
        assert [line.get("cause") for line in again["status_history"]] == [None, None, "requeued", None]
        assert (await api.http.post(f"/tasks/{running}/cancel")).status_code == 200
        assert counts(await api.ended(waiting)) == of_waiting
        assert counts(await api.task(ended)) == of_ended
        assert await is_unknown(api, later)
        # The message that names it has been acknowledged, and has crashed nothing.
        await eventually(lambda: has_no_message(fleet), "an empty queue")
        assert "slot.crashed" not in {line["event"] for line in worker.log_lines()}
        assert counts(await api.ended(await api.submit(BELL)))


async def has_message(fleet: Fleet) -> bool:
    return (await queue_line(fleet)).startswith("1 messages")


async def has_no_message(fleet: Fleet) -> bool:
    return (await queue_line(fleet)).startswith("0 messages")


async def queue_line(fleet: Fleet) -> str:
    """What `ketline doctor` says about the queue of simulations."""
    _, output, _ = await typed(fleet, "doctor")
    found: list[str] = re.findall(rf"queue {fleet.environment['TASK_QUEUE_NAME']}: (.*)", output)
    return found[0]
