"""Opens services to strike: embedded on a directory, distributed on a database and a queue of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from tests.chaos.site.store import PostgresStore, SqliteStore
from tests.databases import TEMPLATE
from tests.failpoints.births import Nursery
from tests.failpoints.cell import Cell, Member
from tests.failpoints.control import Control
from tests.failpoints.proxy import CuttingProxy
from tests.servers import PostgresServer, RabbitServer
from tests.servers.ports import free_ports

CLIENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Servers:
    """What distributed cells share."""

    postgres: PostgresServer
    rabbit: RabbitServer


@asynccontextmanager
async def open_embedded(nursery: Nursery, directory: Path) -> AsyncIterator[Cell]:
    """One `ketline up` with one slot."""
    (port,) = free_ports(1)
    data = directory / "data"
    up = Member("up", ("up", "--port", str(port), "--data-dir", str(data)))
    async with client_of(port) as http:
        cell = Cell(nursery, directory, {}, SqliteStore(data / "ketline.db"), http, (up,), lambda: moved_away(data))
        async with cell.running():
            yield cell


@asynccontextmanager
async def open_distributed(nursery: Nursery, directory: Path, servers: Servers) -> AsyncIterator[Cell]:
    """One API and two workers of one slot each, which reach PostgreSQL through a proxy that can cut them off."""
    port, proxy_port = free_ports(2)
    name = f"failpoints_{uuid4().hex}"
    await servers.postgres.create_database(name, template=TEMPLATE)
    environment = {
        "DATABASE_URL": f"postgresql+asyncpg://postgres@127.0.0.1:{proxy_port}/{name}",
        "RABBITMQ_URL": servers.rabbit.url,
        "TASK_QUEUE_NAME": f"tasks_{uuid4().hex}",
    }
    members = (
        Member("api", ("api", "--port", str(port))),
        Member("one", ("worker",)),
        Member("two", ("worker",)),
    )
    proxy = CuttingProxy(servers.postgres.port, Control(directory))
    async with proxy.serve(proxy_port), client_of(port) as http:
        store = PostgresStore(servers.postgres.url(name))
        cell = Cell(nursery, directory, environment, store, http, members, proxy.outage)
        async with cell.running():
            yield cell
    await servers.postgres.drop_database(name)


@asynccontextmanager
async def moved_away(data: Path) -> AsyncIterator[None]:
    """The data directory has another name for the time of the context."""
    elsewhere = data.with_name("elsewhere")
    await asyncio.to_thread(data.rename, elsewhere)
    try:
        yield
    finally:
        await asyncio.to_thread(elsewhere.rename, data)


def client_of(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=CLIENT_SECONDS)
