"""Records the statements that the databases' own drivers are given."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool


class Statements:
    """Collects the statements, with their arguments, of all connections that are opened while it listens.

    Those of every task pass SQLAlchemy by: SQLite's driver reports all of them, with the arguments in their text;
    PostgreSQL's reports those that it is given directly, and SQLAlchemy the others.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, object]] = []

    @property
    def reads(self) -> Sequence[str]:
        """The texts of the SELECTs."""
        return [text for text, _ in self.seen if text.lstrip().upper().startswith(("SELECT", "WITH"))]

    def listen(self) -> None:
        event.listen(Pool, "connect", self._connected)
        event.listen(Engine, "before_cursor_execute", self._executed)

    def stop(self) -> None:
        event.remove(Pool, "connect", self._connected)
        event.remove(Engine, "before_cursor_execute", self._executed)

    def _connected(self, connection: Any, _record: Any) -> None:
        driver = getattr(connection, "driver_connection", connection)
        if isinstance(driver, sqlite3.Connection):
            driver.set_trace_callback(lambda text: self._note(text, None))
        elif isinstance(driver, asyncpg.Connection):
            driver.add_query_logger(lambda record: self._note(record.query, record.args))

    def _executed(self, connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if connection.dialect.name != "sqlite":
            self._note(statement, parameters)

    def _note(self, text: str, arguments: object) -> None:
        self.seen.append((text, arguments))
