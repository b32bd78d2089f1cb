"""Fixtures that give a test a database of its own with the present schema, on either technology."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from ketline.db.engine.database import Database, open_database
from ketline.db.schema.migrate import migrate
from tests.loops import await_apart
from tests.servers import PostgresServer

TEMPLATE = "ketline_template"


def _sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def _make_template(server: PostgresServer) -> None:
    await server.create_database(TEMPLATE)
    await migrate(server.url(TEMPLATE))


@pytest.fixture(scope="session")
def postgres_with_template(postgres_server: PostgresServer) -> PostgresServer:
    """The session's PostgreSQL with a migrated database to copy: far quicker than a migration per test."""
    await_apart(_make_template(postgres_server))
    return postgres_server


@pytest.fixture
async def postgres_url(postgres_with_template: PostgresServer) -> AsyncIterator[str]:
    """URL of a fresh, migrated PostgreSQL database."""
    name = f"test_{uuid4().hex}"
    await postgres_with_template.create_database(name, template=TEMPLATE)
    yield postgres_with_template.url(name)
    await postgres_with_template.drop_database(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated SQLite database to copy, whose migration takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "ketline.db"
    await_apart(migrate(_sqlite_url(path)))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh, migrated SQLite database."""
    path = tmp_path / "ketline.db"
    shutil.copyfile(sqlite_template, path)
    return _sqlite_url(path)


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
