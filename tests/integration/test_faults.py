"""Which errors of a database mean that it is away, and which are defects."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from ketline.db.engine.database import Database, open_database
from ketline.db.schema.migrate import migrate
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import (
    DatabaseAccessDenied,
    DatabaseNotMigrated,
    DatabaseReadOnly,
    DatabaseUnavailable,
)
from tests.servers import PostgresServer


def raising(state: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = '{state}'; END $$"))

    return work


@pytest.mark.parametrize("state", ["57P01", "57P03", "53300", "40P01", "08006", "55P03", "58030"])
async def test_passing_error_means_that_the_database_is_away(postgres_url: str, state: str) -> None:
    async with open_database(postgres_url) as database:
        with pytest.raises(DatabaseUnavailable):
            await database.write(raising(state))


async def test_error_of_a_statement_is_a_defect(postgres_url: str) -> None:
    async with open_database(postgres_url) as database:
        with pytest.raises(DBAPIError):
            await database.write(raising("22012"))


async def test_starting_server_is_away_and_never_a_defect(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    """A server killed in mid-write rejects connections while it recovers; every rejection must say so."""
    server = await private_postgres_server(durable=True)
    await server.create_database("ketline")
    async with open_database(server.url("ketline")) as database:

        def fill(connection: Connection) -> None:
            connection.execute(text("CREATE TABLE t AS SELECT generate_series(1, 300000) AS n"))

        def count(connection: Connection) -> int:
            counted: int = connection.execute(text("SELECT count(*) FROM t")).scalar_one()
            return counted

        await database.write(fill)
        await server.kill()
        starting = asyncio.create_task(server.start())
        while True:
            with contextlib.suppress(DatabaseUnavailable):
                assert await database.read(count) == 300_000
                break
        await starting


def rename_version(connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def look(connection: Connection) -> None:
    connection.execute(text("SELECT 1 FROM alembic_version"))


async def expect(database: Database, kind: type[DatabaseUnavailable], secret: str) -> None:
    """Each way to the database says what is wrong, and nothing that is secret."""
    for run, work in ((database.write, rename_version), (database.autocommit, rename_version)):
        with pytest.raises(DatabaseUnavailable) as raised:
            await run(work)
        assert type(raised.value) is kind
        assert secret not in str(raised.value)


async def test_reason_is_known_and_no_secret_is_told(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    server = await private_postgres_server()
    await server.create_database("ketline")
    await migrate(server.url("ketline"))
    await server.execute(
        "CREATE USER locked PASSWORD 'right-one'",
        "CREATE USER absent NOLOGIN",
        "CREATE USER bare",
        "CREATE DATABASE empty",
    )
    await server.require_password("locked")
    url = make_url(server.url("ketline"))
    cases: list[tuple[URL, type[DatabaseUnavailable]]] = [
        (url.set(username="locked", password="wrong-one"), DatabaseAccessDenied),
        (url.set(username="absent"), DatabaseAccessDenied),
        (url.set(username="nobody-of-that-name"), DatabaseAccessDenied),
        (url.set(username="bare"), DatabaseAccessDenied),
        (url.set(database="no_such_one"), DatabaseAccessDenied),
        (url.set(database="empty"), DatabaseNotMigrated),
    ]
    for wrong, kind in cases:
        async with open_database(wrong.render_as_string(hide_password=False)) as database:
            await expect(database, kind, "wrong-one")
            with pytest.raises(kind):
                await database.read(look)
            with pytest.raises(kind):
                await SqlTaskRepository(database).check_writable()


async def test_database_that_becomes_read_only_and_writable_again(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]],
) -> None:
    server = await private_postgres_server()
    await server.create_database("ketline")
    await migrate(server.url("ketline"))
    async with open_database(server.url("ketline")) as database:
        repository = SqlTaskRepository(database)
        await repository.check_writable()
        await server.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        await expect_soon(repository, DatabaseReadOnly)
        await expect(database, DatabaseReadOnly, "postgres")
        await repository.ping()
        await server.execute("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        await expect_soon(repository, None)


async def expect_soon(repository: SqlTaskRepository, kind: type[DatabaseUnavailable] | None) -> None:
    """The server's processes take notice of new settings one after the other."""
    async with asyncio.timeout(10):
        while True:
            found: type[DatabaseUnavailable] | None = None
            try:
                await repository.check_writable()
            except DatabaseUnavailable as error:
                found = type(error)
            if found is kind:
                return
            await asyncio.sleep(0.01)
