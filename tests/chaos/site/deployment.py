"""The service under test with everything it needs, on throwaway data, in either mode."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.chaos.site.filesystem import small_disk, temporary_files_in
from tests.chaos.site.store import PostgresStore, SqliteStore, Store
from tests.chaos.site.supervisor import Supervisor
from tests.chaos.storm.plan import APIS, WORKERS, Plan, settings
from tests.servers import PostgresServer, RabbitServer
from tests.servers.ports import free_ports

START_SECONDS = 90.0
QUEUE = "chaos_tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What a distributed service stands on."""

    postgres: PostgresServer
    rabbit: RabbitServer
    database: PostgresStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What this version of the service says it offers."""

    idempotency: bool
    cancellation: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running service: its processes, its addresses, its database."""

    directory: Path
    supervisor: Supervisor
    ports: tuple[int, ...]
    store: Store
    features: Features
    servers: Servers | None = None
    disk: Path | None = None


@asynccontextmanager
async def open_site(plan: Plan) -> AsyncIterator[Site]:
    """The plan's service, answering; everything of it is gone after the context."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="ketline-chaos-")))
        disk = stack.enter_context(small_disk(directory / "disk", plan.small_disk_mb))
        opener = _open_distributed if plan.mode == "distributed" else _open_embedded
        yield await opener(stack, directory, disk, settings(quick_clocks=plan.quick_clocks))


async def _open_distributed(
    stack: AsyncExitStack, directory: Path, disk: Path | None, common: Mapping[str, str]
) -> Site:
    with temporary_files_in(disk):
        postgres = PostgresServer(durable=True)
    await stack.enter_async_context(postgres)
    rabbit = await stack.enter_async_context(RabbitServer())
    await postgres.create_database("ketline")
    environment = {
        **common,
        "DATABASE_URL": postgres.url("ketline"),
        "RABBITMQ_URL": rabbit.url,
        "TASK_QUEUE_NAME": QUEUE,
        "KETLINE_WORKER_SLOTS": "1",
    }
    supervisor = _supervise(stack, directory, environment)
    if await supervisor.run_once("migrate"):
        raise RuntimeError(f"ketline migrate failed:\n{(directory / 'once.log').read_text()}")
    ports = tuple(free_ports(APIS))
    for number, port in enumerate(ports):
        supervisor.keep(f"api-{number}", "api", "--port", str(port))
    for number in range(WORKERS):
        supervisor.keep(f"worker-{number}", "worker")
    database = PostgresStore(postgres.url("ketline"))
    servers = Servers(postgres=postgres, rabbit=rabbit, database=database)
    features = await _features(ports)
    return Site(
        directory=directory,
        supervisor=supervisor,
        ports=ports,
        store=database,
        features=features,
        servers=servers,
        disk=disk,
    )


async def _open_embedded(stack: AsyncExitStack, directory: Path, disk: Path | None, common: Mapping[str, str]) -> Site:
    data = (disk or directory) / "data"
    supervisor = _supervise(stack, directory, {**common, "KETLINE_DATA_DIR": str(data), "KETLINE_WORKER_SLOTS": "2"})
    ports = tuple(free_ports(1))
    supervisor.keep("service-0", "up", "--port", str(ports[0]))
    features = await _features(ports)
    store = SqliteStore(data / "ketline.db")
    return Site(directory=directory, supervisor=supervisor, ports=ports, store=store, features=features, disk=disk)


def _supervise(stack: AsyncExitStack, directory: Path, environment: Mapping[str, str]) -> Supervisor:
    supervisor = Supervisor(directory, environment)
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
        idempotency="idempotency-key" in headers, cancellation="/tasks/{task_id}/cancel" in description["paths"]
    )


async def _healthy(http: httpx.AsyncClient, port: int) -> None:
    while True:
        try:
            if (await http.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)
