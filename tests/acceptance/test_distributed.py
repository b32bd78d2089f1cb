"""APIs and workers as separate processes on PostgreSQL and a broker, with each of them failing in turn."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import httpx

from tests.acceptance.conftest import Distributed, distributed_on
from tests.acceptance.processes import Fleet, any_port, eventually, wait_until_healthy
from tests.acceptance.programs import BELL, ENDLESS, long_program
from tests.servers import PostgresServer, RabbitServer

QUICK_LEASE: dict[str, Any] = {"KETLINE_LEASE_S": "1", "KETLINE_REAP_INTERVAL_S": "0.2", "WORKER_RETRY_DELAY_S": "0.1"}


async def test_migrate_makes_the_schema(
    fleet: type[Fleet], tmp_path: Path, postgres_server: PostgresServer, rabbit_server: RabbitServer
) -> None:
    name = f"empty_{uuid4().hex}"
    await postgres_server.create_database(name)
    service = distributed_on(fleet, tmp_path, postgres_server.url(name), rabbit_server.url)
    for _ in range(2):
        migrate = await service.fleet.start("migrate")
        assert await migrate.process.wait() == 0, migrate.output.read_text()
    check = await service.fleet.start("check")
    assert await check.process.wait() == 0, check.output.read_text()
    await service.start_api()
    await service.start_worker()
    async with service.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
    await service.fleet.end()
    await postgres_server.drop_database(name)


async def test_several_apis_and_workers_share_the_work(on_each_broker: Distributed) -> None:
    second_port = any_port()
    await asyncio.gather(on_each_broker.start_api(), on_each_broker.start_api(second_port))
    workers = [await on_each_broker.start_worker(f"worker-{number}") for number in range(2)]
    for worker in workers:
        await worker.logged("queue.consuming", queue=on_each_broker.fleet.environment["TASK_QUEUE_NAME"])
    async with on_each_broker.api() as one, on_each_broker.api(second_port) as two:
        ids = [await (one, two)[number % 2].submit(BELL, shots=100) for number in range(40)]
        tasks = [await one.ended(task_id) for task_id in ids]
    assert {task["status"] for task in tasks} == {"completed"}
    assert {task["status_history"][-1]["worker_id"] for task in tasks} == {"worker-0", "worker-1"}


async def test_correlation_id_is_on_every_line_of_api_and_worker(distributed: Distributed) -> None:
    api_process = await distributed.start_api()
    worker = await distributed.start_worker()
    correlation_id = f"trace-{uuid4().hex}"
    async with distributed.api() as api:
        response = await api.http.post("/tasks", json={"qc": BELL}, headers={"X-Correlation-ID": correlation_id})
        assert response.headers["X-Correlation-ID"] == response.json()["correlation_id"] == correlation_id
        task_id = response.json()["task_id"]
        assert (await api.ended(task_id))["correlation_id"] == correlation_id
    await api_process.logged("http.request", correlation_id=correlation_id)
    for event in ("task.started", "task.completed"):
        line = await worker.logged(event, task_id=task_id)
        assert (line["correlation_id"], line["attempt"], line["worker_id"]) == (correlation_id, 1, "worker-1")
    about_task = [line for line in worker.log_lines() + api_process.log_lines() if line.get("task_id") == task_id]
    assert all(line.get("correlation_id") == correlation_id for line in about_task)


async def test_killed_worker_loses_nothing(on_each_broker: Distributed) -> None:
    await on_each_broker.start_api(**QUICK_LEASE)
    doomed = await on_each_broker.start_worker("doomed", **QUICK_LEASE)
    async with on_each_broker.api() as api:
        task_id = await api.submit(long_program(rounds=120))
        await api.reached(task_id, "processing")
        await doomed.kill()
        await on_each_broker.start_worker("heir", **QUICK_LEASE)
        task = await api.ended(task_id)
    assert task["status"] == "completed"
    history = [(entry["status"], entry.get("worker_id")) for entry in task["status_history"]]
    assert history == [
        ("pending", None),
        ("processing", "doomed"),
        ("pending", "doomed"),
        ("processing", "heir"),
        ("completed", "heir"),
    ]


async def test_stopped_worker_hands_its_task_to_another(on_each_broker: Distributed) -> None:
    await on_each_broker.start_api()
    first = await on_each_broker.start_worker("first", KETLINE_SHUTDOWN_GRACE_S="0.2")
    async with on_each_broker.api() as api:
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
        assert await first.stop() == 0
        assert (await api.task(task_id))["status"] == "pending"
        await on_each_broker.start_worker("second", TASK_TIME_LIMIT_S="1", TASK_SOFT_TIME_LIMIT_S="1")
        task = await api.ended(task_id)
    assert task["error"]["code"] == "timeout"
    assert task["status_history"][2]["cause"] == "worker_stopped"


async def test_concurrent_duplicates_over_two_apis_make_one_task(distributed: Distributed) -> None:
    second_port = any_port()
    await asyncio.gather(distributed.start_api(), distributed.start_api(second_port))
    headers = {"Idempotency-Key": uuid4().hex}
    async with distributed.api() as one, distributed.api(second_port) as two:
        responses = await asyncio.gather(
            *((one, two)[n % 2].http.post("/tasks", json={"qc": BELL}, headers=headers) for n in range(10))
        )
    assert [response.status_code for response in responses] == [202] * 10
    assert sum(response.headers.get("idempotent-replayed") == "true" for response in responses) == 9
    assert len({response.json()["task_id"] for response in responses}) == 1


async def test_broker_away_still_accepts_and_runs_later(
    fleet: type[Fleet],
    tmp_path: Path,
    postgres_url: str,
    private_rabbit_server: Callable[[], Awaitable[RabbitServer]],
) -> None:
    broker = await private_rabbit_server()
    service = distributed_on(fleet, tmp_path, postgres_url, broker.url)
    await service.start_api()
    await service.start_worker()
    async with service.api() as api:
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
        await broker.kill()
        asked = time.monotonic()
        health = await api.http.get("/health")
        assert time.monotonic() - asked < 2
        assert health.status_code == 503
        assert (health.json()["database_status"], health.json()["queue_status"]) == ("connected", "disconnected")
        ids = [await api.submit(BELL) for _ in range(10)]
        await broker.start()
        for task_id in ids:
            assert (await api.ended(task_id))["status"] == "completed"
        await wait_until_healthy(api)


async def test_running_task_survives_a_broker_restart(
    fleet: type[Fleet],
    tmp_path: Path,
    postgres_url: str,
    private_rabbit_server: Callable[[], Awaitable[RabbitServer]],
) -> None:
    broker = await private_rabbit_server()
    service = distributed_on(fleet, tmp_path, postgres_url, broker.url)
    await service.start_api()
    worker = await service.start_worker()
    async with service.api() as api:
        task_id = await api.submit(long_program(rounds=480))
        await api.reached(task_id, "processing")
        await broker.kill()
        await broker.start()
        task = await api.ended(task_id)
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
    assert task["status"] == "completed"
    assert task["status_history"][-1]["attempt"] == 1
    assert len([line for line in worker.log_lines() if line["event"] == "task.started"]) == 2


async def test_database_away_is_a_503_and_recovers(
    fleet: type[Fleet],
    tmp_path: Path,
    rabbit_server: RabbitServer,
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    database = await private_postgres_server(durable=True)
    await database.create_database("ketline")
    service = distributed_on(fleet, tmp_path, database.url("ketline"), rabbit_server.url)
    assert await (await service.fleet.start("migrate")).process.wait() == 0
    await service.start_api()
    worker = await service.start_worker()
    async with service.api() as api:
        task_id = await api.submit(long_program())
        await api.reached(task_id, "processing")
        await database.kill()
        asked = time.monotonic()
        health = await api.http.get("/health")
        assert time.monotonic() - asked < 2
        assert (health.status_code, health.json()["database_status"]) == (503, "disconnected")
        rejected = await api.http.post("/tasks", json={"qc": BELL})
        assert (rejected.status_code, rejected.json()["code"]) == (503, "database_unavailable")
        assert int(rejected.headers["Retry-After"]) > 0
        assert (await api.http.get(f"/tasks/{task_id}")).status_code == 503
        await database.start()
        assert (await api.ended(task_id))["status"] == "completed"
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
    assert worker.process.returncode is None


async def test_service_starts_before_its_servers(
    fleet: type[Fleet],
    tmp_path: Path,
    postgres_url: str,
    private_rabbit_server: Callable[[], Awaitable[RabbitServer]],
) -> None:
    broker = await private_rabbit_server()
    await broker.stop()
    service = distributed_on(fleet, tmp_path, postgres_url, broker.url)
    await service.start_api()
    await service.start_worker()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http:
        assert (await http.get("/livez")).status_code == 200
        accepted = await http.post("/tasks", json={"qc": BELL})
        assert accepted.status_code == 202
    await broker.start()
    async with service.api() as api:
        assert (await api.ended(accepted.json()["task_id"]))["status"] == "completed"


async def test_one_lost_message_is_found_though_consumers_are_idle(
    distributed: Distributed, rabbit_server: RabbitServer
) -> None:
    """A purge loses the only message while nobody consumes; then more consumers idle than messages are missing."""
    await distributed.start_api(KETLINE_REDISPATCH_S="1")
    async with distributed.api() as api:
        task_id = await api.submit(BELL)
        queue_name = distributed.fleet.environment["TASK_QUEUE_NAME"]

        connection = await aio_pika.connect(rabbit_server.url)
        async with connection:
            queue = await (await connection.channel()).get_queue(queue_name, ensure=False)

            async def lost() -> bool:
                return (await queue.purge()).message_count == 1

            await eventually(lost, "the loss of the message")
        await distributed.start_worker(slots=3, KETLINE_REDISPATCH_S="1")
        assert (await api.ended(task_id))["status"] == "completed"


async def test_message_without_a_task_is_set_aside(distributed: Distributed, rabbit_server: RabbitServer) -> None:
    """A foreign message must neither stop a worker nor go round for ever."""
    await distributed.start_api()
    await distributed.start_worker()
    queue_name = distributed.fleet.environment["TASK_QUEUE_NAME"]
    async with distributed.api() as api:
        connection = await aio_pika.connect(rabbit_server.url)
        async with connection:
            channel = await connection.channel()
            for body in (b"not json", b'{"task_id": 5}', b"{}"):
                await channel.default_exchange.publish(aio_pika.Message(body), routing_key=queue_name)

            async def three_set_aside() -> bool:
                dead = await channel.declare_queue(f"{queue_name}.dead", passive=True)
                return dead.declaration_result.message_count == 3

            await eventually(three_set_aside, "three messages on the dead-letter queue")
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"
