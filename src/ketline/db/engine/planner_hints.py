"""Planner hints: conditions written so that the statement, not the planner, decides which index serves it."""

from typing import Any

from sqlalchemy import ColumnElement, Enum, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType


class has_value(FunctionElement[Any]):  # noqa: N801 - reads as the SQL operator it is
    """Whether a column has a value; a statement that sorts by the column first then uses an index on it.

    From `column = value` PostgreSQL concludes that sorting by the column is unnecessary, and chooses an index on the
    second column alone if it expects to find enough rows of that value soon: it does not know that values change over
    time.
    """

    name = "ketline_has_value"
    inherit_cache = True
    # Not Boolean, which SQLite has not: SQLAlchemy would compare the comparison with 1, and no index would serve.
    type = NullType()

    def __init__(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> None:
        super().__init__(column, value)


@compiles(has_value, "postgresql")
def _has_value_postgresql(element: has_value, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = element.clauses
    array = f"ARRAY[{compiler.process(value, **kw)}]"
    if isinstance(column.type, Enum):
        array = f"CAST({array} AS {column.type.name}[])"
    return f"{compiler.process(column, **kw)} = ANY ({array})"


@compiles(has_value, "sqlite")
def _has_value_sqlite(element: has_value, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = element.clauses
    return f"{compiler.process(column, **kw)} = {compiler.process(value, **kw)}"


def checked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition that filters rows found by another condition, and that no index serves.

    PostgreSQL plans statements while a table is empty, when every index is equally good, and keeps the plan when many
    rows match. Without this condition a claim scanned all pending tasks.
    """
    return condition.is_(true())
