"""Translates errors of the drivers into `DatabaseUnavailable` and its subclasses, for every transaction.

`postgresql.py` and `sqlite.py` run theirs within `translated`.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from asyncpg import InterfaceError as DriverInterfaceError
from asyncpg import InternalClientError, PostgresError, TargetServerAttributeNotMatched
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError

from ketline.domain.errors import (
    DatabaseAccessDenied,
    DatabaseConnectionsExhausted,
    DatabaseFileLost,
    DatabaseFull,
    DatabaseNotMigrated,
    DatabaseReadOnly,
    DatabaseTlsFailed,
    DatabaseUnavailable,
)
from ketline.tls_errors import tls_problem

# Connection, rollback of a transaction, resources, lock, operator (starting up, shutting down), system.
# Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
TRANSIENT_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
IDLE_IN_TRANSACTION = "25P03"
# From the same table: what an operator can do something about.
_STATES: Mapping[str, type[DatabaseUnavailable]] = {
    "28000": DatabaseAccessDenied,
    "28P01": DatabaseAccessDenied,
    "3D000": DatabaseAccessDenied,
    "42501": DatabaseAccessDenied,
    "25006": DatabaseReadOnly,
    "53100": DatabaseFull,
    "53300": DatabaseConnectionsExhausted,
    "42P01": DatabaseNotMigrated,
    "42703": DatabaseNotMigrated,
    "42704": DatabaseNotMigrated,
}
# Source: SQLite documentation, "Result and Error Codes"; primary codes, the lowest byte.
_SQLITE_CODES: Mapping[int, type[DatabaseUnavailable]] = {
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_FULL: DatabaseFull,
    sqlite3.SQLITE_CORRUPT: DatabaseFileLost,
    sqlite3.SQLITE_NOTADB: DatabaseFileLost,
    sqlite3.SQLITE_CANTOPEN: DatabaseFileLost,
    sqlite3.SQLITE_IOERR: DatabaseUnavailable,
}
# Without the server's own message, which may name users, hosts and files.
_MESSAGES: Mapping[type[DatabaseUnavailable], str] = {
    DatabaseUnavailable: "The database does not respond; try again in a few seconds.",
    DatabaseAccessDenied: "The database rejects the login, or a permission is missing: check the user, the password, "
    "the name of the database and the grants behind DATABASE_URL.",
    DatabaseReadOnly: "The database takes no writes: it is a standby, or was set to read-only.",
    DatabaseFull: "The database's disk is full.",
    DatabaseFileLost: "The database's file cannot be used: it was moved, deleted or damaged.",
    DatabaseNotMigrated: "The database does not have the schema this version needs; run `ketline migrate`.",
    DatabaseConnectionsExhausted: "The database's server lets no more clients in: raise its max_connections, or lower "
    "KETLINE_DATABASE_POOL_SIZE.",
}
# While a connection is being set up, SQLAlchemy lets the driver's own errors through as they are.
_SETTING_UP = (PostgresError, DriverInterfaceError, InternalClientError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for what a database, a connection or a pool may do to us; defects pass."""
    try:
        yield
    except DBAPIError as error:
        kind = _kind(error.orig)
        if kind is None and isinstance(error, ProgrammingError):
            kind = DatabaseNotMigrated
        if kind is None and (error.connection_invalidated or _is_transient(error)):
            kind = DatabaseUnavailable
        if kind is None:
            raise
        raise kind(_MESSAGES[kind]) from error
    except (SQLAlchemyError, *_SETTING_UP, OSError, TimeoutError) as error:
        if problem := tls_problem(error):
            raise DatabaseTlsFailed(
                f"TLS with the database failed, {problem}; check sslmode, sslrootcert and the host in DATABASE_URL."
            ) from error
        kind = _kind(error)
        if kind is None:
            raise DatabaseUnavailable("The database cannot be reached; try again shortly.") from error
        raise kind(_MESSAGES[kind]) from error


def sqlite_fault(error: sqlite3.Error) -> DatabaseUnavailable:
    """The error for one that SQLite raised outside SQLAlchemy."""
    kind = _kind(error) or DatabaseUnavailable
    return kind(_MESSAGES[kind])


def _kind(error: BaseException | None) -> type[DatabaseUnavailable] | None:
    """The class of error that a driver's error means; None if it does not mean that the database is unavailable."""
    if isinstance(error, sqlite3.Error):
        if "no such table" in str(error) or "no such column" in str(error):
            return DatabaseNotMigrated
        code = getattr(error, "sqlite_errorcode", None)
        return None if code is None else _SQLITE_CODES.get(code & 0xFF)
    # SQLAlchemy's own class has no state for this one.
    if isinstance(error, TargetServerAttributeNotMatched) or (
        error is not None and isinstance(error.__cause__, TargetServerAttributeNotMatched)
    ):
        return DatabaseReadOnly
    return _STATES.get(getattr(error, "sqlstate", None) or "")


def _is_transient(error: DBAPIError) -> bool:
    """Whether an error is not about the statement, so that a retry may help; asyncpg shows many by SQLSTATE only."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return isinstance(error, OperationalError | InterfaceError) or _is_transient_state(state)


def _is_transient_state(state: str) -> bool:
    return state[:2] in TRANSIENT_CLASSES or state == IDLE_IN_TRANSACTION
