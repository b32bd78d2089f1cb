"""A column held at one value, for indexes that begin with it, in words that leave the choice of the index to us.

From `column = value` PostgreSQL concludes that sorting by the column is needless, and takes an index on the second
column alone where it expects soon to meet enough rows of that value: it does not see that values come and go in time.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Enum
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class held_at(FunctionElement[bool]):  # noqa: N801 - reads as the SQL operator it is
    """Whether a column has a value; what is sorted by the column first has its rows from an index on it."""

    name = "ketline_held_at"
    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> None:
        super().__init__(column, value)


@compiles(held_at, "postgresql")
def _held_at_postgresql(element: held_at, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = element.clauses
    array = f"ARRAY[{compiler.process(value, **kw)}]"
    if isinstance(column.type, Enum):
        array = f"CAST({array} AS {column.type.name}[])"
    return f"{compiler.process(column, **kw)} = ANY ({array})"


@compiles(held_at, "sqlite")
def _held_at_sqlite(element: held_at, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = element.clauses
    return f"{compiler.process(column, **kw)} = {compiler.process(value, **kw)}"
