"""The database's own clock in SQL, for PostgreSQL and SQLite: the one clock all workers agree on."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Float, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ketline.db.engine.types import UtcDateTime

# SQLAlchemy stores SQLite datetimes with six decimals; strftime gives three.
_SQLITE_FORMAT = "%Y-%m-%d %H:%M:%f000"


class _TimeFunction(FunctionElement[Any]):
    type = UtcDateTime()


class now(_TimeFunction):  # noqa: N801 - reads as the SQL function it is
    """The time the statement began."""

    name = "ketline_now"
    inherit_cache = True


class from_now(_TimeFunction):  # noqa: N801 - reads as the SQL function it is
    """The time `seconds` after the statement began."""

    name = "ketline_from_now"
    inherit_cache = True

    def __init__(self, seconds: float | ColumnElement[Any]) -> None:
        super().__init__(seconds if isinstance(seconds, ColumnElement) else literal(seconds, Float))


class after(_TimeFunction):  # noqa: N801 - reads as the SQL function it is
    """The time `seconds` after a moment; before it, where they are negative."""

    name = "ketline_after"
    inherit_cache = True

    def __init__(self, moment: ColumnElement[Any], seconds: ColumnElement[Any]) -> None:
        super().__init__(moment, seconds)


class seconds_between(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The seconds from one moment to another."""

    name = "ketline_seconds_between"
    inherit_cache = True
    type = Float()

    def __init__(self, start: ColumnElement[Any], end: ColumnElement[Any]) -> None:
        super().__init__(start, end)


def later(moment: ColumnElement[Any], earliest: ColumnElement[Any]) -> ColumnElement[Any]:
    """The later of `earliest` and `moment`, or `earliest` if there is no `moment`."""
    return case((moment > now(), moment), else_=earliest)


def doubling(seconds: float, exponent: ColumnElement[int], most: int) -> ColumnElement[float]:
    """`seconds` times 2 to the power of the column, the power capped at `most`."""
    steps = [(exponent <= power, literal(seconds * 2.0**power, Float)) for power in range(most)]
    return case(*steps, else_=literal(seconds * 2.0**most, Float))


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    # Stable within a statement, so indexes can be used, and not frozen at the start of a transaction.
    return "statement_timestamp()"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"strftime('{_SQLITE_FORMAT}', 'now')"


@compiles(from_now, "postgresql")
def _from_now_postgresql(element: from_now, compiler: SQLCompiler, **kw: Any) -> str:
    process: Callable[..., str] = compiler.process
    return f"(statement_timestamp() + {process(element.clauses, **kw)} * interval '1 second')"


@compiles(from_now, "sqlite")
def _from_now_sqlite(element: from_now, compiler: SQLCompiler, **kw: Any) -> str:
    process: Callable[..., str] = compiler.process
    return f"strftime('{_SQLITE_FORMAT}', 'now', ({process(element.clauses, **kw)}) || ' seconds')"


@compiles(after, "postgresql")
def _after_postgresql(element: after, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(({moment}) + ({seconds}) * interval '1 second')"


@compiles(after, "sqlite")
def _after_sqlite(element: after, compiler: SQLCompiler, **kw: Any) -> str:
    moment, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"strftime('{_SQLITE_FORMAT}', ({moment}), ({seconds}) || ' seconds')"


@compiles(seconds_between, "postgresql")
def _seconds_between_postgresql(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM ({end}) - ({start})) AS FLOAT)"


@compiles(seconds_between, "sqlite")
def _seconds_between_sqlite(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    start, end = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"((julianday({end}) - julianday({start})) * 86400.0)"
