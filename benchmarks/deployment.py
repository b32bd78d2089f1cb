"""A whole service of real processes for the time of a context, in either mode, on throwaway data."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks.processes import Account
from benchmarks.site import Broker, Site, open_servers, open_site
from ketline.config import map_database_url
from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.engine.database import open_database
from ketline.domain.access.audit import COMMAND_LINE, Actor
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName, Role
from ketline.service.access.keys import ManageKeys
from tests.servers import RabbitServer, RedisServer

# Fills a migrated database, given its URL, before the service starts.
Preparation = Callable[[str], Awaitable[None]]
Opened = Callable[..., AbstractAsyncContextManager["Deployment"]]
# The account of the process that makes the load.
LOAD_GENERATOR = "load generator"
NO_SETTINGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A running service: where it listens, its database, and whose processor time counts for what.

    `keys` are API keys for it, each of a project of its own, if it checks keys.
    """

    mode: str
    port: int
    database_url: str
    accounts: Mapping[str, Account]
    keys: Sequence[str] = ()


@asynccontextmanager
async def open_embedded(
    prepare: Preparation | None = None, *, projects: int = 0, settings: Mapping[str, str] = NO_SETTINGS
) -> AsyncIterator[Deployment]:
    """`ketline up` on a new data directory, with `settings`; with `projects` it authenticates requests of so many."""
    with open_site() as site:
        if prepare is not None:
            await _prepare_embedded(site, prepare)
        async with site.serving("up", **_auth(projects), **settings) as (port, up):
            yield Deployment(
                mode="embedded",
                port=port,
                database_url=site.database_url,
                accounts={
                    "service": Account(up.pid, "root"),
                    "simulators": Account(up.pid, "below"),
                    **_load_account(),
                },
                keys=await _keys(site.database_url, projects),
            )


@asynccontextmanager
async def open_distributed(
    prepare: Preparation | None = None,
    *,
    mode: str = "distributed",
    broker: Callable[[], Broker] = RabbitServer,
    projects: int = 0,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> AsyncIterator[Deployment]:
    """PostgreSQL that syncs every commit, a broker, one `ketline worker` and one `ketline api`, both with `settings`;
    with `projects` the API authenticates requests of so many."""
    async with open_servers(broker) as site:
        if prepare is not None:
            await prepare(site.database_url)
        async with (
            site.ketline("worker", **settings) as worker,
            site.serving("api", **_auth(projects), **settings) as (port, api),
        ):
            yield Deployment(
                mode=mode,
                port=port,
                database_url=site.database_url,
                accounts={
                    "api": Account(api.pid, "root"),
                    "worker": Account(worker.pid, "root"),
                    "simulators": Account(worker.pid, "below"),
                    **site.accounts,
                    **_load_account(),
                },
                keys=await _keys(site.database_url, projects),
            )


MODES: Mapping[str, Opened] = {"embedded": open_embedded, "distributed": open_distributed}
# What is measured under load: the modes, and the distributed one on Redis.
SERVICES: Mapping[str, Opened] = {**MODES, "redis": partial(open_distributed, mode="redis", broker=RedisServer)}


async def _prepare_embedded(site: Site, prepare: Preparation) -> None:
    # Late: whoever fills nothing need not import Alembic.
    from ketline.db.schema.migrate import migrate

    await migrate(site.database_url)
    await prepare(site.database_url)


def _load_account() -> dict[str, Account]:
    return {LOAD_GENERATOR: Account(os.getpid(), "root")}


def _auth(projects: int) -> Mapping[str, str]:
    return {"KETLINE_AUTH": "keys"} if projects else {}


async def _keys(database_url: str, projects: int) -> Sequence[str]:
    """New keys for submissions, one for each project, on the database of a service."""
    if not projects:
        return ()
    async with open_database(map_database_url(database_url)) as database:
        keys, owner = ManageKeys(SqlKeyStore(database)), Owner("benchmark")
        actor = Actor(owner=owner, origin=COMMAND_LINE)
        others = [ProjectName(f"project-{number}") for number in range(1, projects)]
        for name in others:
            await SqlProjectStore(database).add(name, actor)
        names = [DEFAULT_PROJECT, *others]
        return [(await keys.create(project=name, role=Role.SUBMITTER, owner=owner, actor=actor)).text for name in names]
