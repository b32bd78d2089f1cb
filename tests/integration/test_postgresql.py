"""What a server that ends sessions, or cuts connections, may do to transactions on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.util import await_only

from ketline.db.engine.connector import Connector
from ketline.db.engine.database import open_database
from ketline.db.engine.postgresql import PostgresqlTransactions
from ketline.db.engine.sessions import ACQUIRE_TIMEOUT_SECONDS
from ketline.domain.errors import DatabaseUnavailable

LOCK_ROW = text("SELECT version_num FROM alembic_version FOR UPDATE")
# The server's answers to log-in, to the driver's own questions and to a first statement are fewer.
MAX_ANSWERS = 24


@pytest.mark.timeout(60)
async def test_the_locks_of_a_process_that_stands_still_are_freed(postgres_url: str) -> None:
    runs = 0
    async with open_database(postgres_url) as frozen, open_database(postgres_url) as other:

        def take(connection: Connection) -> None:
            connection.execute(LOCK_ROW)

        def stand_still(connection: Connection) -> str:
            nonlocal runs
            runs += 1
            connection.execute(LOCK_ROW)
            if runs == 1:
                await_only(other.write(take))
            return str(connection.execute(text("SELECT 'awake'")).scalar_one())

        assert await frozen.write(stand_still) == "awake"

    assert runs == 2, "the session that had been ended was used on"


@asynccontextmanager
async def cutting_proxy(target: int, answers: int) -> AsyncIterator[int]:
    """A port whose connections end after this many packets from the server."""
    handlers: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while packet := await reader.read(65536):
                writer.write(packet)
                await writer.drain()
        finally:
            # A client that has gone sends nothing that the server would answer.
            writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(answers):
            writer.write(await reader.read(65536))
            await writer.drain()

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", target)
        asking = asyncio.create_task(copy(client, to_server))
        try:
            await answer(server, to_client)
        finally:
            to_client.close()
            to_server.close()
            asking.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await asking

    def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(serve(client, to_client))
        handlers.add(handler)
        handler.add_done_callback(handlers.discard)

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]
    await asyncio.gather(*handlers, return_exceptions=True)


@pytest.mark.timeout(120)
async def test_a_connection_cut_after_any_answer_is_an_absent_database(postgres_url: str) -> None:
    url = make_url(postgres_url)
    assert url.port is not None
    absent = 0
    for responses in range(MAX_ANSWERS):
        async with cutting_proxy(url.port, responses) as port:
            through_proxy = url.set(port=port).render_as_string(hide_password=False)
            async with open_database(through_proxy) as database:
                try:
                    await database.write(select_one)
                except DatabaseUnavailable:
                    absent += 1

    assert 0 < absent < MAX_ANSWERS


class Cutting(Connector):
    """Its sessions are lost as soon as they are opened."""

    async def __call__(self, **options: Any) -> Any:
        session = await super().__call__(**options)
        session.terminate()
        return session

    async def is_pooled(self) -> bool:
        return False


async def test_a_connection_lost_right_after_log_in_is_an_absent_database(postgres_url: str) -> None:
    transactions = PostgresqlTransactions(postgres_url, 4, connect=Cutting(postgres_url))
    try:
        with pytest.raises(DatabaseUnavailable):
            await transactions.write(select_one)
    finally:
        await transactions.close()


def select_one(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


@pytest.mark.parametrize("way", ["autocommit", "read"])
async def test_more_statements_than_connections_take_turns(way: str, postgres_url: str) -> None:
    async with open_database(postgres_url, pool_size=3) as database:
        ask = getattr(database, way)

        def work(connection: Connection) -> int:
            return int(connection.execute(text("SELECT 1 FROM pg_sleep(0.01)")).scalar_one())

        async with asyncio.timeout(ACQUIRE_TIMEOUT_SECONDS / 2):
            assert await asyncio.gather(*(ask(work) for _ in range(12))) == [1] * 12
            await asyncio.gather(*(database.write(work) for _ in range(4)))


async def test_statement_under_way_at_the_end_leaves_no_connection_behind(postgres_url: str) -> None:
    begun = asyncio.Event()

    def work(connection: Connection) -> None:
        begun.set()
        connection.execute(text("SELECT 1 FROM pg_sleep(0.2)"))

    transactions = PostgresqlTransactions(postgres_url, 3)
    running = asyncio.create_task(transactions.autocommit(work))
    await begun.wait()
    await transactions.close()
    await running
    assert await sessions_of(postgres_url) == 0


async def sessions_of(url: str) -> int:
    """How many sessions of the service this database has; the server takes a moment to end one."""
    connection = await Connector(url)()
    try:
        for _ in range(100):
            found: int = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if not found:
                break
            await asyncio.sleep(0.02)
        return found
    finally:
        await connection.close()
