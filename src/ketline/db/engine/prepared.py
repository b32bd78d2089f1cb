"""Statements that run several times for every task: compiled once, and run by the driver itself.

`db.tasks` declares them.

SQLAlchemy takes many times as long for a statement as SQLite or asyncpg. Here it only compiles the statement and
provides the conversions of values.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy import Connection, Dialect, Float
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import await_only

Processor = Callable[[Any], Any] | None

_DRIVER_ERRORS = (PostgresError, InterfaceError, InternalClientError, OSError)


class Prepared:
    """A statement that is built once; its form in a dialect is built when it first runs."""

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._forms: dict[str, _Form] = {}

    def run(self, connection: Connection, parameters: Mapping[str, object]) -> Sequence[Any]:
        """Return the rows, with an attribute for each column; none if the statement returns no rows.

        On PostgreSQL SQLAlchemy runs a transaction of several statements, because it begins the transaction with the
        first statement that it runs.

        Raises:
            DBAPIError: the driver raised an error, which is its `orig`.
        """
        if connection.dialect.name == "sqlite":
            return self._form(connection.dialect).run_on_sqlite(connection, parameters)
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return self._form(connection.dialect).run_on_postgresql(connection, parameters)
        result = connection.execute(self.statement, parameters)
        return result.all() if result.returns_rows else []

    def one(self, connection: Connection, parameters: Mapping[str, object]) -> Any:
        """Return the only row, None if there is none; otherwise like `run`."""
        rows = self.run(connection, parameters)
        return rows[0] if rows else None

    def _form(self, dialect: Dialect) -> "_Form":
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = _Form(self.statement, dialect)
        return form


class _Form:
    """The text of a statement in one dialect, its parameters in order, and the conversions of values."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._parameters = [
            (name, compiled.params[name], compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup
        ]
        columns = list(statement.exported_columns)
        self._make = _row_maker([column.key for column in columns])
        processors = [_result_processor(column.type, dialect) for column in columns]
        self._converting = [(number, convert) for number, convert in enumerate(processors) if convert is not None]

    def run_on_sqlite(self, connection: Connection, parameters: Mapping[str, object]) -> Sequence[Any]:
        driver: Any = connection.connection.driver_connection
        try:
            rows = driver.execute(self._text, self._arguments(parameters)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error, sqlite3.Error, connection.dialect) from error
        return self._rows(rows)

    def run_on_postgresql(self, connection: Connection, parameters: Mapping[str, object]) -> Sequence[Any]:
        driver: Any = connection.connection.driver_connection
        try:
            rows = await_only(driver.fetch(self._text, *self._arguments(parameters)))
        except TimeoutError:
            raise  # about the server, not the statement
        except _DRIVER_ERRORS as error:
            lost = driver.is_closed()
            if lost:
                connection.invalidate(error)
            raise self._failed(error, Exception, connection.dialect, lost=lost) from error
        return self._rows(rows)

    def _arguments(self, parameters: Mapping[str, object]) -> Sequence[object]:
        return [
            (given if convert is None else convert(given))
            for name, default, convert in self._parameters
            for given in (parameters.get(name, default),)
        ]

    def _rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        return [self._make(self._converted(row)) for row in rows]

    def _converted(self, row: Iterable[Any]) -> Sequence[Any]:
        values = list(row)
        for number, convert in self._converting:
            if values[number] is not None:  # every conversion of SQLAlchemy gives None for NULL
                values[number] = convert(values[number])
        return values

    def _failed(
        self, error: Exception, base: type[Exception], dialect: Dialect, *, lost: bool = False
    ) -> BaseException:
        raised = DBAPIError.instance(
            self._text, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        )
        assert isinstance(raised, BaseException)
        return raised


def _row_maker(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    kind: Any = namedtuple
    make: Callable[[Iterable[Any]], Any] = kind("Row", names, rename=True)._make
    return make


def _result_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor:
    if isinstance(kind, Float):
        return None  # both drivers give floats
    return kind.dialect_impl(dialect).result_processor(dialect, None)
