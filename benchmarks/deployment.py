"""A whole service of real processes for the time of a context, in either mode, on throwaway data."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from benchmarks.processes import Account
from benchmarks.site import Site, open_servers, open_site

# Fills a migrated database, given its URL, before the service starts.
Preparation = Callable[[str], Awaitable[None]]
Opened = Callable[..., AbstractAsyncContextManager["Deployment"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A running service: where it listens, its database, and whose processor time counts for what."""

    mode: str
    port: int
    database_url: str
    accounts: Mapping[str, Account]


@asynccontextmanager
async def open_embedded(prepare: Preparation | None = None) -> AsyncIterator[Deployment]:
    """`ketline up` on a new data directory."""
    with open_site() as site:
        if prepare is not None:
            await _prepare_embedded(site, prepare)
        async with site.serving("up") as (port, up):
            yield Deployment(
                mode="embedded",
                port=port,
                database_url=site.database_url,
                accounts={
                    "service": Account(up.pid, "root"),
                    "simulators": Account(up.pid, "below"),
                    **_load_account(),
                },
            )


@asynccontextmanager
async def open_distributed(prepare: Preparation | None = None) -> AsyncIterator[Deployment]:
    """PostgreSQL that syncs every commit, RabbitMQ, one `ketline api` and one `ketline worker`."""
    async with open_servers() as site:
        if prepare is not None:
            await prepare(site.database_url)
        async with site.ketline("worker") as worker, site.serving("api") as (port, api):
            yield Deployment(
                mode="distributed",
                port=port,
                database_url=site.database_url,
                accounts={
                    "api": Account(api.pid, "root"),
                    "worker": Account(worker.pid, "root"),
                    "simulators": Account(worker.pid, "below"),
                    **site.accounts,
                    **_load_account(),
                },
            )


MODES: Mapping[str, Opened] = {"embedded": open_embedded, "distributed": open_distributed}


async def _prepare_embedded(site: Site, prepare: Preparation) -> None:
    # Late: whoever fills nothing need not import Alembic.
    from ketline.db.schema.migrate import migrate

    await migrate(site.database_url)
    await prepare(site.database_url)


def _load_account() -> dict[str, Account]:
    return {"load generator": Account(os.getpid(), "root")}
