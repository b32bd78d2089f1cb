"""The metrics of real processes: what each role shows, and that a scrape is answered whatever is down."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from ketline.db.schema.migrate import migrate
from tests.acceptance.conftest import Distributed, Embedded, distributed_on
from tests.acceptance.processes import Fleet, any_port, eventually
from tests.acceptance.programs import BELL, ENDLESS
from tests.exposition import Series, parsed, total, value
from tests.servers import PostgresServer, RabbitServer


async def scraped(client: httpx.AsyncClient) -> Series:
    response = await client.get("/metrics")
    assert response.status_code == 200
    return parsed(response.text)


async def test_service_in_one_process_shows_its_tasks_simulators_and_queues(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1", KETLINE_METRICS_PORT="0")
    separate = str((await process.logged("metrics.listening"))["url"])
    async with embedded.api() as api:
        await api.ended(await api.submit(BELL))
        await api.ended(await api.submit(ENDLESS, timeout_s=1))
        running = await api.submit(ENDLESS)
        await api.reached(running, "processing")
        waiting = await api.submit(BELL)

        async def seen() -> Series | None:
            found = await scraped(api.http)
            shown = (
                value(found, "ketline_queue_tasks", queue="simulate", state="waiting"),
                value(found, "ketline_workers"),
                value(found, "ketline_simulators_busy", use="simulate"),
            )
            return found if all(each == 1 for each in shown) else None

        found = await eventually(seen, "a page with the task that waits", pause_seconds=0.5)
        assert value(found, "ketline_queue_tasks", queue="simulate", state="processing") == 1
        oldest = value(found, "ketline_queue_oldest_task_seconds", queue="simulate")
        assert oldest is not None
        assert 0 < oldest < 600
        assert value(found, "ketline_tasks_submitted_total", kind="simulate") == 4
        assert value(found, "ketline_tasks_ended_total", status="completed", cause="") == 1
        assert value(found, "ketline_tasks_ended_total", status="failed", cause="timeout") == 1
        assert value(found, "ketline_simulators_killed_total", use="simulate", cause="time_limit") == 1
        assert value(found, "ketline_simulators", use="simulate") == 1
        assert value(found, "ketline_worker_slots", use="simulate") == 1

        async def processor_time() -> Series | None:
            found = await scraped(api.http)
            taken = value(found, "ketline_simulator_processor_seconds_total", use="simulate")
            return found if taken is not None and taken > 0.5 else None

        # The endless program keeps taking it, however little of the processor other tests leave.
        found = await eventually(processor_time, "processor time of simulators")
        assert (value(found, "ketline_simulator_resident_memory_bytes", use="simulate") or 0) > 10_000_000
        assert total(found, "ketline_build_info", role="up") == 1
        assert (value(found, "ketline_event_loop_lag_seconds_count") or 0) > 0
        assert (value(found, "ketline_http_connections") or 0) >= 1
        free = value(found, "ketline_data_directory_free_bytes")
        size = value(found, "ketline_data_directory_size_bytes")
        assert free is not None
        assert size is not None
        assert 0 < free <= size
        assert (value(found, "process_open_fds") or 0) > 0
        await api.http.post(f"/tasks/{running}/cancel")
        await api.ended(waiting)
    async with httpx.AsyncClient(base_url=separate) as client:
        found = await scraped(client)
        assert value(found, "ketline_tasks_ended_total", status="cancelled", cause="") == 1
        assert (await client.get("/tasks")).status_code == 404


async def test_each_process_of_the_distributed_service_counts_its_part(distributed: Distributed) -> None:
    port, metrics_port = any_port(), any_port()
    await distributed.start_api(KETLINE_AUTH="keys", KETLINE_METRICS_PORT=str(metrics_port))
    await distributed.start_worker(KETLINE_WORKER_PORT=str(port))
    async with (
        distributed.client() as api,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{metrics_port}") as open_to_all,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as worker,
    ):
        assert (await api.http.get("/metrics")).status_code == 401

        async def ready() -> Series | None:
            found = await scraped(worker)
            return found if value(found, "ketline_simulators", use="simulate") else None

        found = await eventually(ready, "a worker with a simulator")
        assert value(found, "ketline_dependency_up", dependency="queue") == 1
        assert value(found, "ketline_database_sessions", state="used") is not None
        assert value(found, "ketline_workers") is None, "the API reads it"

        async def alive() -> Series | None:
            found = await scraped(open_to_all)
            return found if value(found, "ketline_workers") == 1 else None

        found = await eventually(alive, "a worker on the page of the API", pause_seconds=0.5)
        assert value(found, "ketline_queue_workers", queue="convert") == 1
        assert value(found, "ketline_dead_letters") == 0
        assert value(found, "ketline_authentication_refusals_total", code="credentials_missing") == 1


async def test_scrape_is_answered_while_the_database_is_down(
    fleet: type[Fleet],
    tmp_path: Path,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
    rabbit_server: RabbitServer,
) -> None:
    server = await private_postgres_server()
    await server.create_database("ketline")
    await migrate(server.url("ketline"))
    distributed = distributed_on(fleet, tmp_path, server.url("ketline"), rabbit_server.url)
    await distributed.start_api()
    async with distributed.api() as api:
        assert value(await scraped(api.http), "ketline_measurement_success") == 1
        await server.stop()

        async def noticed() -> bool:
            began = time.monotonic()
            found = await scraped(api.http)
            assert time.monotonic() - began < 10, "longer than a Prometheus server waits"
            return value(found, "ketline_dependency_up", dependency="database") == 0

        await eventually(noticed, "a page that says so", pause_seconds=0.2)
