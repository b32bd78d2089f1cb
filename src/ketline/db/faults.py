"""Vendor errors translated at the edge: inside, a database is available or it is not."""

from collections.abc import Iterator
from contextlib import contextmanager

from asyncpg import InterfaceError as DriverInterfaceError
from asyncpg import InternalClientError, PostgresError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError

from ketline.domain.errors import DatabaseUnavailable

# Connection, rollback of a transaction, resources, lock, operator (starting up, shutting down), system.
# Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
PASSING_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
IDLE_IN_TRANSACTION = "25P03"
# An undefined table, and an undefined column.
LACKING = frozenset({"42P01", "42703"})
# While a connection is being set up, SQLAlchemy lets the driver's own errors through as they are.
_SETTING_UP = (PostgresError, DriverInterfaceError, InternalClientError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for what a database, a connection or a pool may do to us; defects pass."""
    try:
        yield
    except DBAPIError as error:
        if _lacks_schema(error):
            raise DatabaseUnavailable(
                "The database does not have the schema this version needs; run `ketline migrate`."
            ) from error
        if error.connection_invalidated or _is_passing(error):
            raise DatabaseUnavailable("The database does not answer; try again shortly.") from error
        raise
    except (SQLAlchemyError, *_SETTING_UP, OSError, TimeoutError) as error:
        raise DatabaseUnavailable("The database cannot be reached; try again shortly.") from error


def _is_passing(error: DBAPIError) -> bool:
    """Not about the statement. asyncpg's adapter tells many of these apart by their SQLSTATE only."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return isinstance(error, OperationalError | InterfaceError) or _passes(state)


def _passes(state: str) -> bool:
    return state[:2] in PASSING_CLASSES or state == IDLE_IN_TRANSACTION


def _lacks_schema(error: DBAPIError) -> bool:
    """PostgreSQL says so by class, asyncpg by the code of the error, SQLite only in words."""
    if isinstance(error, ProgrammingError) or getattr(error.orig, "sqlstate", None) in LACKING:
        return True
    return "no such table" in str(error.orig)
