"""Functions in SQL that PostgreSQL and SQLite write differently, for the statements of usage."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Date, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class utc_day(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """The day of a moment in UTC."""

    name = "ketline_utc_day"
    inherit_cache = True
    type = Date()


class points_in(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function it is
    """The number of points of the inputs of a task as JSON, 1 without a sweep; see `domain.sweep`."""

    name = "ketline_points_in"
    inherit_cache = True
    type = Integer()


@compiles(utc_day, "postgresql")
def _utc_day_postgresql(element: utc_day, compiler: SQLCompiler, **kw: Any) -> str:
    process: Callable[..., str] = compiler.process
    return f"CAST(({process(element.clauses, **kw)}) AT TIME ZONE 'UTC' AS DATE)"


@compiles(utc_day, "sqlite")
def _utc_day_sqlite(element: utc_day, compiler: SQLCompiler, **kw: Any) -> str:
    process: Callable[..., str] = compiler.process
    return f"date({process(element.clauses, **kw)})"


@compiles(points_in, "postgresql")
def _points_in_postgresql(element: points_in, compiler: SQLCompiler, **kw: Any) -> str:
    inputs = compiler.process(element.clauses, **kw)
    longest = "SELECT max(jsonb_array_length(value)) FROM jsonb_each({}) WHERE jsonb_typeof(value) = 'array'"
    return f"CASE WHEN {inputs} IS NULL THEN 1 ELSE coalesce(({longest.format(inputs)}), 1) END"


@compiles(points_in, "sqlite")
def _points_in_sqlite(element: points_in, compiler: SQLCompiler, **kw: Any) -> str:
    inputs = compiler.process(element.clauses, **kw)
    longest = "SELECT max(json_array_length(value)) FROM json_each({}) WHERE type = 'array'"
    return f"CASE WHEN {inputs} IS NULL THEN 1 ELSE coalesce(({longest.format(inputs)}), 1) END"
