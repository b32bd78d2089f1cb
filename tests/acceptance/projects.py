"""A service with keys that several projects share; the tests of isolation and of secrets start it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.engine.database import open_database
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName, Role
from ketline.service.access.keys import ManageKeys
from tests.acceptance.processes import running_process
from tests.actors import TESTER
from tests.forking.client import ForkServer

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class SharedService:
    """A running embedded service with `KETLINE_AUTH=keys`, with its data and its log in `directory`."""

    directory: Path
    url: str
    pid: int

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def key(self, project: str, role: Role, owner: str = "owner") -> str:
        """A new key; the project is made if there is none."""
        return asyncio.run(new_key(self.directory, project, role, owner))

    def client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS)


async def new_key(directory: Path, project: str, role: Role, owner: str = "owner") -> str:
    """A new key of the embedded service with its data there; the project is made if there is none."""
    name = ProjectName(project)
    async with open_database(f"sqlite+aiosqlite:///{directory / 'ketline.db'}") as database:
        projects = SqlProjectStore(database)
        if name not in {DEFAULT_PROJECT, *(found.name for found in await projects.projects())}:
            await projects.add(name, TESTER)
        made = await ManageKeys(SqlKeyStore(database)).create(project=name, role=role, owner=Owner(owner), actor=TESTER)
    return made.text


@contextmanager
def shared_service(
    directory: Path, fork_server: ForkServer | None = None, /, **environment: str
) -> Iterator[SharedService]:
    """Run the service while the context is open."""
    logs = {"KETLINE_LOG_FORMAT": "json", "KETLINE_LOG_LEVEL": "debug"}
    with running_process(directory, fork_server, KETLINE_AUTH="keys", **logs, **environment) as (url, pid):
        yield SharedService(directory, url, pid)
