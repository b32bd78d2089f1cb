"""Which errors of a database mean that it is away, and which are defects."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ketline.db.engine import open_database
from ketline.domain.errors import DatabaseUnavailable
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
    """A server killed in mid-write refuses connections while it recovers; every refusal must say so."""
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
