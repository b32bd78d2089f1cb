"""Fixtures that give a test a database of its own with the present schema, on either technology."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from ketline.db.engine.database import Database, open_database
from ketline.db.schema.migrate import migrate
from tests.servers import PostgresServer

TEMPLATE = "ketline_template"


async def _make_template(server: PostgresServer) -> None:
    await server.create_database(TEMPLATE)
    await migrate(server.url(TEMPLATE))


@pytest.fixture(scope="session")
def postgres_with_template(postgres_server: PostgresServer) -> PostgresServer:
    """The session's PostgreSQL with a migrated database to copy: far quicker than a migration per test."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _make_template(postgres_server)).result()
    return postgres_server


@pytest.fixture
async def postgres_url(postgres_with_template: PostgresServer) -> AsyncIterator[str]:
    """URL of a fresh, migrated PostgreSQL database."""
    name = f"test_{uuid4().hex}"
    await postgres_with_template.create_database(name, template=TEMPLATE)
    yield postgres_with_template.url(name)
    await postgres_with_template.drop_database(name)


@pytest.fixture
async def sqlite_url(tmp_path: Path) -> str:
    """URL of a fresh, migrated SQLite database."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ketline.db'}"
    await migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test once on each technology."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database
