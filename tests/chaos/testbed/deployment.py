"""The service under test with everything it needs, on throwaway data, in either mode."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import httpx

from tests.chaos.run.plan import APIS, WORKERS, BrokerKind, Plan, settings
from tests.chaos.testbed import file_clock
from tests.chaos.testbed.brokers import QUEUE, Broker, RabbitBroker, RedisBroker
from tests.chaos.testbed.file_clock import FileClock
from tests.chaos.testbed.filesystem import small_disk, temporary_files_in
from tests.chaos.testbed.store import PostgresStore, SqliteStore, Store
from tests.chaos.testbed.supervisor import Supervisor
from tests.clocks import PostgresClock
from tests.servers import PostgresServer
from tests.servers.ports import free_ports

START_SECONDS = 240.0
ROOT = Path(__file__).parents[3]
# More than the processes of a service take, and few enough to take them all.
CONNECTIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What a distributed service stands on."""

    postgres: PostgresServer
    broker: Broker
    database: PostgresStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What this version of the service says it offers."""

    idempotency: bool
    cancellation: bool
    callbacks: bool = False


class Clock(Protocol):
    """The database's clock."""

    async def step(self, seconds: float) -> None:
        """Set it forward, or back where the seconds are negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A running service: its processes, its addresses, its database."""

    directory: Path
    supervisor: Supervisor
    ports: tuple[int, ...]
    store: Store
    features: Features
    servers: Servers | None = None
    disk: Path | None = None
    data: Path | None = None
    clock: Clock | None = None


@asynccontextmanager
async def open_deployment(plan: Plan) -> AsyncIterator[Deployment]:
    """The plan's service, answering; everything of it is gone after the context."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="ketline-chaos-")))
        disk = stack.enter_context(small_disk(directory / "disk", plan.small_disk_mb))
        opener = _open_distributed if plan.mode == "distributed" else _open_embedded
        yield await opener(stack, directory, disk, plan)


async def _open_distributed(stack: AsyncExitStack, directory: Path, disk: Path | None, plan: Plan) -> Deployment:
    with temporary_files_in(disk):
        postgres = PostgresServer(durable=True, max_connections=CONNECTIONS)
    await stack.enter_async_context(postgres)
    broker = await _open_broker(stack, plan.broker)
    await postgres.create_database("ketline")
    environment = {
        **_settings(plan),
        "DATABASE_URL": postgres.url("ketline"),
        "KETLINE_QUEUE_URL": broker.url,
        "TASK_QUEUE_NAME": QUEUE,
        "KETLINE_WORKER_SLOTS": "1",
    }
    supervisor = _supervise(stack, Supervisor(directory, environment, piped=plan.piped_logs))
    if await supervisor.run_once("migrate"):
        raise RuntimeError(f"ketline migrate failed:\n{(directory / 'once.log').read_text()}")
    clock = PostgresClock(postgres.url("ketline")) if plan.sets_clocks else None
    if clock is not None:
        await clock.install()
    ports = tuple(free_ports(APIS))
    for number, port in enumerate(ports):
        supervisor.keep(f"api-{number}", "api", "--port", str(port))
    for number in range(WORKERS):
        supervisor.keep(f"worker-{number}", "worker")
    database = PostgresStore(postgres.url("ketline"))
    servers = Servers(postgres=postgres, broker=broker, database=database)
    features = await _features(ports)
    return Deployment(
        directory=directory,
        supervisor=supervisor,
        ports=ports,
        store=database,
        features=features,
        servers=servers,
        disk=disk,
        clock=clock,
    )


async def _open_broker(stack: AsyncExitStack, kind: BrokerKind) -> Broker:
    if kind == "rabbitmq":
        return await stack.enter_async_context(RabbitBroker())
    return await stack.enter_async_context(RedisBroker(durable=kind == "redis-aof"))


async def _open_embedded(stack: AsyncExitStack, directory: Path, disk: Path | None, plan: Plan) -> Deployment:
    data = (disk or directory) / "data"
    environment = {**_settings(plan), "KETLINE_DATA_DIR": str(data), "KETLINE_WORKER_SLOTS": "2"}
    clock = FileClock(directory / "clock") if plan.sets_clocks else None
    supervisor = _supervise(stack, Supervisor(directory, environment, _program(clock), piped=plan.piped_logs))
    ports = tuple(free_ports(1))
    supervisor.keep("service-0", "up", "--port", str(ports[0]))
    features = await _features(ports)
    store = SqliteStore(data / "ketline.db")
    return Deployment(
        directory=directory,
        supervisor=supervisor,
        ports=ports,
        store=store,
        features=features,
        disk=disk,
        data=data,
        clock=clock,
    )


def _program(clock: FileClock | None) -> Sequence[str]:
    """What runs `ketline`: Python as it is, or with a clock that is set."""
    return ("-m", "ketline") if clock is None else (file_clock.__file__, str(ROOT), str(clock.path))


def _settings(plan: Plan) -> Mapping[str, str]:
    return settings(quick_clocks=plan.quick_clocks, patient=plan.patient)


def _supervise(stack: AsyncExitStack, supervisor: Supervisor) -> Supervisor:
    stack.push_async_callback(supervisor.close)
    return supervisor


async def _features(ports: tuple[int, ...]) -> Features:
    """Wait until every API is healthy, and read what it offers."""
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(timeout=10) as http:
        for port in ports:
            await _healthy(http, port)
        description = (await http.get(f"http://127.0.0.1:{ports[0]}/openapi.json")).json()
    submit = description["paths"]["/tasks"]["post"]
    headers = {parameter["name"].lower() for parameter in submit.get("parameters", ())}
    return Features(
        idempotency="idempotency-key" in headers,
        cancellation="/tasks/{task_id}/cancel" in description["paths"],
        callbacks="/tasks/{task_id}/deliveries" in description["paths"],
    )


async def _healthy(http: httpx.AsyncClient, port: int) -> None:
    while True:
        try:
            if (await http.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)
