"""The differences between PostgreSQL and SQLite, as one value for each, for the statements that must differ."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The capabilities of a kind of database.

    `insert` begins an INSERT that can have an `ON CONFLICT` clause. A dialect that `batches` runs one statement for
    many requests: it makes a table of array parameters, and changes several tables in one statement. One that
    `notifies` tells other processes of changes. `limits_connections` says that its server accepts a limited number.
    """

    name: str
    insert: Callable[[Table], Any]
    batches: bool
    notifies: bool
    limits_connections: bool


POSTGRESQL = Dialect(name="postgresql", insert=postgresql.insert, batches=True, notifies=True, limits_connections=True)
SQLITE = Dialect(name="sqlite", insert=sqlite.insert, batches=False, notifies=False, limits_connections=False)

_BY_NAME = {dialect.name: dialect for dialect in (POSTGRESQL, SQLITE)}


def dialect_of(connection: Connection) -> Dialect:
    """The dialect of the database behind a connection."""
    return _BY_NAME[connection.dialect.name]
