"""The SQL function that gives the size of a stored value without reading it, for results that may be large.

The query of a single task (`db/tasks/queries.py`) leaves out a result by it.
"""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class stored_size(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """The bytes of a value in the table, compressed on PostgreSQL; NULL for NULL."""

    name = "ketline_stored_size"
    type = BigInteger()
    inherit_cache = True


@compiles(stored_size, "postgresql")
def _on_postgresql(element: stored_size, compiler: SQLCompiler, **kw: Any) -> str:
    return f"pg_column_size({compiler.process(element.clauses, **kw)})"


@compiles(stored_size, "sqlite")
def _on_sqlite(element: stored_size, compiler: SQLCompiler, **kw: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **kw)} AS BLOB))"
