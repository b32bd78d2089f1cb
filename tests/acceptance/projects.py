"""A service with keys that several projects share, in both modes; the tests of isolation and of secrets start it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.engine.database import open_database
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName, Role
from ketline.service.access.keys import ManageKeys
from tests.acceptance.processes import running_api_and_worker, running_process
from tests.actors import TESTER
from tests.forking.client import ForkServer

TIMEOUT_SECONDS = 120.0
_SETTINGS = {"KETLINE_AUTH": "keys", "KETLINE_LOG_FORMAT": "json", "KETLINE_LOG_LEVEL": "debug"}


@dataclass(frozen=True, slots=True)
class SharedService:
    """A running service with `KETLINE_AUTH=keys` and its log in `directory`; `pid` is the process that serves `url`."""

    directory: Path
    database_url: str
    url: str
    pid: int

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def key(self, project: str, role: Role, owner: str = "owner") -> str:
        """A new key; the project is made if there is none."""
        return asyncio.run(new_key(self.database_url, project, role, owner))

    def client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS)


async def new_key(database_url: str, project: str, role: Role, owner: str = "owner") -> str:
    """A new key of the service on this database; the project is made if there is none."""
    name = ProjectName(project)
    async with open_database(database_url) as database:
        projects = SqlProjectStore(database)
        if name not in {DEFAULT_PROJECT, *(found.name for found in await projects.projects())}:
            await projects.add(name, TESTER)
        made = await ManageKeys(SqlKeyStore(database)).create(project=name, role=role, owner=Owner(owner), actor=TESTER)
    return made.text


@contextmanager
def shared_service(
    directory: Path, fork_server: ForkServer | None = None, /, **environment: str
) -> Iterator[SharedService]:
    """Run the embedded service while the context is open, with its data in `directory`."""
    with running_process(directory, fork_server, **_SETTINGS, **environment) as (url, pid):
        yield SharedService(directory, database_in(directory), url, pid)


@contextmanager
def distributed_shared_service(
    directory: Path, fork_server: ForkServer | None, database_url: str, broker_url: str, /, **environment: str
) -> Iterator[SharedService]:
    """Run an API and a worker on this database and broker while the context is open."""
    servers = {
        "DATABASE_URL": database_url,
        "KETLINE_QUEUE_URL": broker_url,
        "TASK_QUEUE_NAME": f"tasks_{uuid4().hex}",
    }
    with running_api_and_worker(directory, fork_server, **_SETTINGS, **servers, **environment) as (url, pid):
        yield SharedService(directory, database_url, url, pid)


def database_in(directory: Path) -> str:
    """The URL of the database of an embedded service with its data there."""
    return f"sqlite+aiosqlite:///{directory / 'ketline.db'}"
