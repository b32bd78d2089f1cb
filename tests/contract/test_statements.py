"""How many statements reading a task takes, as the databases' own drivers are given them."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from ketline.db.engine.database import Database, open_database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.repository import SqlTaskRepository
from tests.contract.test_repository import submission


class Statements:
    """Collects the SELECTs of all connections that are opened while it listens.

    Those of every task pass SQLAlchemy by: SQLite's driver reports all of them, PostgreSQL's those that it is given
    directly, and SQLAlchemy the others.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []

    def listen(self) -> None:
        event.listen(Pool, "connect", self._connected)
        event.listen(Engine, "before_cursor_execute", self._executed)

    def stop(self) -> None:
        event.remove(Pool, "connect", self._connected)
        event.remove(Engine, "before_cursor_execute", self._executed)

    def _connected(self, connection: Any, _record: Any) -> None:
        driver = getattr(connection, "driver_connection", connection)
        if isinstance(driver, sqlite3.Connection):
            driver.set_trace_callback(self._note)
        elif isinstance(driver, asyncpg.Connection):
            driver.add_query_logger(lambda record: self._note(record.query))

    def _executed(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.dialect.name != "sqlite":
            self._note(statement)

    def _note(self, statement: str) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            self.seen.append(statement)


@pytest.fixture
def statements() -> Iterator[Statements]:
    found = Statements()
    found.listen()
    yield found
    found.stop()


@pytest.fixture
async def database(statements: Statements, database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def test_pending_task_is_read_by_one_statement(database: Database, statements: Statements) -> None:
    repository, new = SqlTaskRepository(database), submission()
    await repository.add(new, taken=True)
    await repository.get(new.task_id)  # a new connection may ask for something of its own
    statements.seen.clear()
    await repository.get(new.task_id)
    [statement] = statements.seen
    assert "status_history" in statement


async def test_place_in_the_queue_is_one_statement_more(database: Database, statements: Statements) -> None:
    repository, catalogue, new = SqlTaskRepository(database), SqlTaskCatalogue(database), submission()
    await repository.add(new, taken=True)
    await catalogue.queue_position(new.task_id)
    statements.seen.clear()
    place = await catalogue.queue_position(new.task_id)
    assert place is not None
    assert place.position == 1
    assert len(statements.seen) == 1, statements.seen
