"""Planner hints: conditions written so that the statement, not the planner, decides which index serves it."""

from typing import Any

from sqlalchemy import ColumnElement, Enum, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType


class has_value(FunctionElement[Any]):  # noqa: N801 - reads as the SQL operator it is
    """Whether a column has a value; what is sorted by the column first has its rows from an index on it.

    From `column = value` PostgreSQL concludes that sorting by the column is needless, and takes an index on the second
    column alone where it expects soon to meet enough rows of that value: it does not see that values come and go in
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

    Statements are planned while a table is empty: then any index will do, and the plan is kept when many rows meet the
    condition. A claim went through all tasks that were pending.
    """
    return condition.is_(true())
