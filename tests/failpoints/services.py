"""Opens services to strike: embedded on a directory, distributed on a database and a queue of its own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from tests.chaos.testbed.store import PostgresStore, SqliteStore
from tests.databases import TEMPLATE
from tests.failpoints.control import Control
from tests.failpoints.proxy import CuttingProxy
from tests.failpoints.remotes import Remotes
from tests.failpoints.service import CLIENT_SECONDS, Process, Service
from tests.failpoints.table import Mode
from tests.forking.client import ForkServer
from tests.servers import PostgresServer
from tests.servers.ports import free_ports


@dataclass(frozen=True, slots=True)
class Servers:
    """What distributed services share: a database server, and for each mode the URL of a broker."""

    postgres: PostgresServer
    broker_urls: Mapping[Mode, str]


@asynccontextmanager
async def open_embedded(fork_server: ForkServer, directory: Path, remotes: Remotes) -> AsyncIterator[Service]:
    """One `ketline up` with one slot."""
    (port,) = free_ports(1)
    data = directory / "data"
    up = Process("up", ("up", "--port", str(port), "--data-dir", str(data)))
    async with client_of(port) as http:
        service = Service(
            fork_server, directory, {}, SqliteStore(data / "ketline.db"), http, (up,), remotes, lambda: moved_away(data)
        )
        async with service.running():
            yield service


@asynccontextmanager
async def open_distributed(
    fork_server: ForkServer, directory: Path, servers: Servers, mode: Mode, remotes: Remotes
) -> AsyncIterator[Service]:
    """One API and two workers of one slot each, which reach PostgreSQL through a proxy that can cut them off."""
    port, proxy_port = free_ports(2)
    name = f"failpoints_{uuid4().hex}"
    await servers.postgres.create_database(name, template=TEMPLATE)
    environment = {
        "DATABASE_URL": f"postgresql+asyncpg://postgres@127.0.0.1:{proxy_port}/{name}",
        "KETLINE_QUEUE_URL": servers.broker_urls[mode],
        "TASK_QUEUE_NAME": f"tasks_{uuid4().hex}",
    }
    members = (
        Process("api", ("api", "--port", str(port))),
        Process("one", ("worker",)),
        Process("two", ("worker",)),
    )
    proxy = CuttingProxy(servers.postgres.port, Control(directory))
    async with proxy.serve(proxy_port), client_of(port) as http:
        store = PostgresStore(servers.postgres.url(name))
        service = Service(fork_server, directory, environment, store, http, members, remotes, proxy.outage)
        async with service.running():
            yield service
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
