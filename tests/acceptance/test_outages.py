"""A database that is down for longer than a lease, and one whose clock is set, under real processes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ketline.cli.server.serve import worker
from ketline.config import load_settings
from ketline.db.schema.migrate import migrate
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task import Task
from ketline.runtime.embedded import open_embedded
from ketline.service.services import Services
from tests.acceptance.conftest import Distributed, distributed_on
from tests.acceptance.processes import Fleet, eventually
from tests.acceptance.programs import BELL, ENDLESS
from tests.clocks import PostgresClock, SqliteClock
from tests.servers import PostgresServer, RabbitServer

LEASE_SECONDS = 2.0
OUTAGE_SECONDS = 1.5 * LEASE_SECONDS
QUICK: dict[str, Any] = {
    "KETLINE_LEASE_S": str(LEASE_SECONDS),
    "KETLINE_REAP_INTERVAL_S": "0.2",
    "WORKER_RETRY_DELAY_S": "0.1",
}
STEP_SECONDS = 600.0
# Far less than the step, and enough on a busy machine.
SOON_SECONDS = 45.0

# Each starts several processes, or has outages to wait for.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def private(
    fleet: type[Fleet],
    tmp_path: Path,
    rabbit_server: RabbitServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> tuple[PostgresServer, Distributed]:
    """A service on a database server of its own."""
    database = await private_postgres_server(durable=True)
    await database.create_database("ketline")
    service = distributed_on(fleet, tmp_path, database.url("ketline"), rabbit_server.url)
    await migrate(database.url("ketline"))
    return database, service


@pytest.mark.long
async def test_three_outages_longer_than_a_lease_leave_a_long_task_at_its_first_attempt(
    private: tuple[PostgresServer, Distributed],
) -> None:
    database, service = private
    api_process = await service.start_api(**QUICK)
    worker_process = await service.start_worker("one", slots=2, **QUICK)
    async with service.api() as api:
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
        for end in (database.stop, database.kill, database.stop):
            await end()
            await asyncio.sleep(OUTAGE_SECONDS)
            await database.start()
            await asyncio.sleep(2 * LEASE_SECONDS)  # reapers judge leases again
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed", "in the other slot"
        task = await api.task(task_id)
        assert [line["status"] for line in task["status_history"]] == ["pending", "processing"]
        assert (await api.http.post(f"/tasks/{task_id}/cancel")).status_code == 200
    for process in (api_process, worker_process):
        assert process.process.returncode is None
        assert not [line for line in process.log_lines() if line["event"].endswith("crashed")]


async def test_worker_killed_in_an_outage_costs_its_task_nothing(private: tuple[PostgresServer, Distributed]) -> None:
    database, service = private
    await service.start_api(**QUICK)
    doomed = await service.start_worker("doomed", **QUICK)
    async with service.api() as api:
        await asyncio.sleep(2 * LEASE_SECONDS)  # the API's reaper is in steady contact
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
        await database.stop()
        await doomed.kill()
        await asyncio.sleep(OUTAGE_SECONDS)
        await database.start()
        await service.start_worker("heir", **QUICK)

        async def ended_attempt() -> bool:
            return len((await api.task(task_id))["status_history"]) > 2

        await eventually(ended_attempt, "the end of the first attempt")
        ended = [line for line in (await api.task(task_id))["status_history"] if line.get("worker_id") == "doomed"]
    assert [(line["status"], line.get("cause")) for line in ended] == [
        ("processing", None),
        ("pending", "database_outage"),
    ]


async def test_clock_of_postgresql_is_set_back_under_waiting_and_running_tasks(
    fleet: type[Fleet], tmp_path: Path, postgres_url: str, rabbit_server: RabbitServer
) -> None:
    clock = PostgresClock(postgres_url)
    await clock.install()
    service = distributed_on(fleet, tmp_path, postgres_url, rabbit_server.url)
    await service.start_api(**QUICK)
    await service.start_worker("one", **QUICK)
    async with service.api() as api:
        running = await api.submit(ENDLESS, timeout_s=8)
        await api.reached(running, "processing")
        waiting = [await api.submit(BELL) for _ in range(3)]
        await clock.step(-STEP_SECONDS)
        stepped = time.monotonic()
        tasks = [await api.ended(task_id) for task_id in (running, *waiting)]
        assert time.monotonic() - stepped < SOON_SECONDS
        assert [task["status"] for task in tasks] == ["failed", "completed", "completed", "completed"]
        assert [task["status_history"][-1]["attempt"] for task in tasks] == [1] * 4
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"


@pytest.mark.long
async def test_start_after_the_clock_of_postgresql_was_set_back(
    fleet: type[Fleet], tmp_path: Path, postgres_url: str, rabbit_server: RabbitServer
) -> None:
    clock = PostgresClock(postgres_url)
    await clock.install()
    service = distributed_on(fleet, tmp_path, postgres_url, rabbit_server.url)
    first = await service.start_api(**QUICK)
    async with service.api() as api:
        waiting = [await api.submit(BELL) for _ in range(3)]
    assert await first.stop() == 0
    await clock.step(-STEP_SECONDS)
    await service.start_api(**QUICK)
    await service.start_worker("one", **QUICK)
    async with service.api() as api:
        began = time.monotonic()
        assert {(await api.ended(task_id))["status"] for task_id in waiting} == {"completed"}
        assert time.monotonic() - began < SOON_SECONDS


@pytest.mark.long
async def test_clock_of_postgresql_is_set_forward_under_a_running_task(
    fleet: type[Fleet], tmp_path: Path, postgres_url: str, rabbit_server: RabbitServer
) -> None:
    clock = PostgresClock(postgres_url)
    await clock.install()
    service = distributed_on(fleet, tmp_path, postgres_url, rabbit_server.url)
    await service.start_api(**QUICK)
    await service.start_worker("one", **QUICK)
    async with service.api() as api:
        await asyncio.sleep(2 * LEASE_SECONDS)  # reapers are in steady contact
        running = await api.submit(ENDLESS, timeout_s=10)
        await api.reached(running, "processing")
        await clock.step(STEP_SECONDS)
        task = await api.ended(running)
    assert (task["error"]["code"], task["status_history"][-1]["attempt"]) == ("timeout", 1)


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_clock_of_the_embedded_service_is_set_back(tmp_path: Path, restarted: bool) -> None:
    settings = load_settings(data_dir=tmp_path, worker_slots=1, reap_interval_s=0.2, lease_s=LEASE_SECONDS)
    clock = SqliteClock()
    with clock.installed():
        if restarted:
            async with open_embedded(settings, tmp_path) as (service, _):
                waiting = await submit(service)
            clock.step(-STEP_SECONDS)
        async with open_embedded(settings, tmp_path) as (service, parts):
            if not restarted:
                await asyncio.sleep(2 * LEASE_SECONDS)
                waiting = await submit(service)
                clock.step(-STEP_SECONDS)
            stop = asyncio.Event()
            working = asyncio.create_task(worker(settings, parts).run(stop))
            async with asyncio.timeout(SOON_SECONDS):
                while (await ended(service, waiting)) is None:  # noqa: ASYNC110 - there is nothing else to wait on
                    await asyncio.sleep(0.05)
            stop.set()
            await working


async def submit(service: Services) -> TaskId:
    submission = Submission(
        task_id=service.submit.new_id(), spec=TaskSpec(circuit=BELL, shots=10), correlation_id=CorrelationId("c")
    )
    accepted = await service.submit(submission)
    return accepted.task_id


async def ended(service: Services, task_id: TaskId) -> Task | None:
    task = await service.reader.get(task_id)
    return task if task.status is TaskStatus.COMPLETED else None
