"""Databases whose clock a test sets, as an operator or a time server would; nothing of the service knows of it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import Engine, event

_INSTALL = """
CREATE SCHEMA clock;
CREATE TABLE clock.step (seconds double precision NOT NULL);
INSERT INTO clock.step VALUES (0);
CREATE FUNCTION clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.statement_timestamp() + (SELECT seconds FROM clock.step) * interval ''1 second''';
"""


class PostgresClock:
    """The clock of one PostgreSQL database: its own function of that name is found before the server's."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")

    async def install(self) -> None:
        """Before the service connects."""
        name = self._url.rpartition("/")[2]
        await self._execute(_INSTALL + f'ALTER DATABASE "{name}" SET search_path = clock, pg_catalog, public;')

    async def step(self, seconds: float) -> None:
        """Set the clock forward; back, where the seconds are negative."""
        await self._execute(f"UPDATE clock.step SET seconds = seconds + {seconds:f}")

    async def _execute(self, statements: str) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()


class SqliteClock:
    """The clock of every SQLite connection that this process opens meanwhile; `read` says where it stands, if given."""

    def __init__(self, read: Callable[[], float] | None = None) -> None:
        self._stepped = 0.0
        self._read = read

    @property
    def stepped(self) -> float:
        """The seconds that the clock is ahead."""
        return self._read() if self._read is not None else self._stepped

    def step(self, seconds: float) -> None:
        self._stepped += seconds

    @contextmanager
    def installed(self) -> Iterator[None]:
        event.listen(Engine, "connect", self._connected)
        try:
            yield
        finally:
            event.remove(Engine, "connect", self._connected)

    def _connected(self, connection: Any, _record: Any) -> None:
        plain = sqlite3.connect(":memory:", check_same_thread=False)

        def strftime(form: str, moment: str | None, *modifiers: str) -> str | None:
            shift = (f"{self.stepped:+f} seconds",) if moment == "now" else ()
            arguments = (form, moment, *shift, *modifiers)
            marks = ", ".join("?" * len(arguments))
            found: str | None = plain.execute(f"SELECT strftime({marks})", arguments).fetchone()[0]
            return found

        connection.create_function("strftime", -1, strftime)
