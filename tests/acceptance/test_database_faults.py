"""A database that is there and cannot be used: rejected with a clear word, and work continues by itself afterwards."""

import asyncio
import resource
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.acceptance.conftest import Embedded, distributed_on
from tests.acceptance.processes import Api, Fleet, KetlineProcess, any_port, eventually
from tests.acceptance.programs import BELL, long_program
from tests.servers import PostgresServer, RabbitServer

pytestmark = pytest.mark.timeout(300)

# A worker with a task in hand, a dispatcher and a reaper each say what is wrong now and then.
MAX_LOG_BYTES_PER_SECOND = 20_000
FAULT_SECONDS = 4.0


async def told(api: Api, code: str) -> None:
    """Health, readiness and submissions all say that this is wrong."""

    async def unhealthy() -> bool:
        health = await api.http.get("/health")
        return health.status_code == 503 and health.json().get("database_problem") == code

    await eventually(unhealthy, f"an unhealthy service: {code}")
    ready = await api.http.get("/readyz")
    assert (ready.status_code, ready.json()["missing"], ready.json()["database_problem"]) == (503, ["database"], code)
    rejected = await api.http.post("/tasks", json={"qc": BELL})
    assert (rejected.status_code, rejected.json()["code"]) == (503, code), rejected.text


async def quiet(*processes: KetlineProcess) -> None:
    """For some seconds of the fault: little is logged, and none of it is a defect."""
    before = [process.output.stat().st_size for process in processes]
    await asyncio.sleep(FAULT_SECONDS)
    for process, size in zip(processes, before, strict=True):
        grown = process.output.stat().st_size - size
        assert grown < MAX_LOG_BYTES_PER_SECOND * FAULT_SECONDS, process.output.read_text()[-3000:]
        assert "Traceback" not in process.output.read_text()


async def test_read_only_database(
    fleet: type[Fleet],
    tmp_path: Path,
    rabbit_server: RabbitServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    database = await private_postgres_server()
    await database.create_database("ketline")
    service = distributed_on(fleet, tmp_path, database.url("ketline"), rabbit_server.url)
    assert await (await service.fleet.start("migrate")).process.wait() == 0
    front = await service.start_api()
    worker = await service.start_worker()
    async with service.api() as api:
        running = await api.submit(long_program())
        waiting = [await api.submit(BELL) for _ in range(20)]
        await api.reached(running, "processing")
        await database.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        await told(api, "database_read_only")
        assert (await api.http.get(f"/tasks/{running}")).status_code == 200, "reading goes on"
        await quiet(front, worker)
        await database.execute("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        for task_id in (running, *waiting):
            assert (await api.ended(task_id))["status"] == "completed"
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"


@pytest.mark.long
async def test_login_that_is_rejected(
    fleet: type[Fleet],
    tmp_path: Path,
    rabbit_server: RabbitServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    """From the start on; once the password is the right one the service continues."""
    database = await private_postgres_server()
    await database.create_database("ketline")
    environment = {"DATABASE_URL": database.url("ketline")}
    assert await (await Fleet(tmp_path, environment).start("migrate")).process.wait() == 0
    await database.execute("CREATE USER clerk SUPERUSER PASSWORD 'another'")
    await database.require_password("clerk")
    url = database.url("ketline").replace("//postgres@", "//clerk:secret-word@")
    service = distributed_on(fleet, tmp_path, url, rabbit_server.url)
    front = await service.start_api()
    worker = await service.start_worker()
    async with service.client() as api:
        await told(api, "database_access_denied")
        await quiet(front, worker)
        for process in (front, worker):
            assert "secret-word" not in process.output.read_text()
        await database.execute("ALTER USER clerk PASSWORD 'secret-word'")
        await eventually(api.healthy, "a healthy service")
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"


@pytest.mark.long
async def test_data_directory_that_is_moved_away_and_back(embedded: Embedded) -> None:
    process = await embedded.up()
    elsewhere = embedded.data_dir.with_name("elsewhere")
    async with embedded.api() as api:
        running = await api.submit(long_program())
        await api.reached(running, "processing")
        waiting = [await api.submit(BELL) for _ in range(20)]
        embedded.data_dir.rename(elsewhere)
        # Not a moment later: none of these is accepted and gone.
        rejected = await api.http.post("/tasks", json={"qc": BELL})
        assert (rejected.status_code, rejected.json()["code"]) == (503, "database_file_lost")
        await told(api, "database_file_lost")
        await quiet(process)
        elsewhere.rename(embedded.data_dir)
        for task_id in (running, *waiting):
            assert (await api.ended(task_id))["status"] == "completed"
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
    assert await process.stop() == 0


async def test_data_directory_that_is_deleted(embedded: Embedded) -> None:
    process = await embedded.up()
    async with embedded.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        shutil.rmtree(embedded.data_dir)
        await told(api, "database_file_lost")
        await quiet(process)
    assert await process.stop() == 0
    await embedded.up()
    async with embedded.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"


async def test_disk_without_room(embedded: Embedded) -> None:
    """As the kernel says it where a file may not grow: writes fail, and what was there can be read."""
    process = await embedded.up()
    async with embedded.api() as api:
        done = await api.submit(BELL)
        await api.ended(done)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

        async def rejected() -> str | None:
            response = await api.http.post("/tasks", json={"qc": BELL})
            return str(response.json()["code"]) if response.status_code == 503 else None

        assert await eventually(rejected, "a rejection") in {"database_full", "database_unavailable"}
        assert (await api.http.get("/readyz")).status_code == 503
        assert (await api.task(done))["status"] == "completed"
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await eventually(api.healthy, "a healthy service")
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
    assert "Traceback" not in process.output.read_text()


@pytest.mark.long
async def test_more_processes_than_the_server_has_connections_for(
    fleet: type[Fleet],
    tmp_path: Path,
    rabbit_server: RabbitServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    """Two APIs and two workers may take 42 connections; the server has 12."""
    database = await private_postgres_server(max_connections=12)
    await database.create_database("ketline")
    service = distributed_on(fleet, tmp_path, database.url("ketline"), rabbit_server.url)
    assert await (await service.fleet.start("migrate")).process.wait() == 0
    ports = [service.port, any_port()]
    for number, port in enumerate(ports):
        await service.start_api(port)
        await service.start_worker(f"worker-{number}")
    async with AsyncExitStack() as stack:
        apis = [await stack.enter_async_context(service.api(port)) for port in ports]
        for _ in range(3):
            found = await asyncio.gather(*(api.submit(BELL) for api in apis for _ in range(30)))
            for task_id in found:
                assert (await apis[0].ended(task_id))["status"] == "completed"
        for api in apis:
            assert (await api.http.get("/readyz")).status_code == 200
