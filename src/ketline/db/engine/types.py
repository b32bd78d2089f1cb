"""Column types that behave the same on both databases, for the tables and for expressions in statements."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    DateTime,
    Dialect,
    Select,
    Text,
    TypeDecorator,
    Uuid,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes; SQLite, which has no time zones, stores them as naive UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[str]):
    """A bind parameter for a JSON column whose value is JSON text already, which neither side encodes again."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def bind_processor(self, dialect: Dialect) -> None:
        return None


class UuidList(TypeDecorator[Sequence[UUID]]):
    """A bind parameter for any number of ids: an array on PostgreSQL, JSON on SQLite; `is_one_of` compares with it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(Uuid()))

    def process_bind_param(self, value: Sequence[UUID] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return json.dumps([one.hex for one in value])


class is_one_of(FunctionElement[Any]):  # noqa: N801 - reads as the SQL operator it is
    """Whether a column has one of the values of a `UuidList`; the statement is the same for any number of them."""

    name = "ketline_is_one_of"
    inherit_cache = True
    # Not Boolean, which SQLite has not: SQLAlchemy would compare the comparison with 1, and no index would serve.
    type = NullType()

    def __init__(self, column: ColumnElement[Any], values: BindParameter[Any]) -> None:
        super().__init__(column, values)


@compiles(is_one_of, "postgresql")
def _is_one_of_postgresql(element: is_one_of, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(is_one_of, "sqlite")
def _is_one_of_sqlite(element: is_one_of, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = element.clauses
    each: Select[Any] = select(literal_column("value")).select_from(func.json_each(values))
    return compiler.process(column.in_(each), **kw)
