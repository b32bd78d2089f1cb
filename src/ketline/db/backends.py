"""The registry of external backends: one row for each, which workers write and the API reads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Text, select
from sqlalchemy.sql.dml import ReturningInsert

from ketline.db.engine.bind_parameters import BindParameters
from ketline.db.engine.clock import now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import Dialect, dialect_of
from ketline.db.schema.tables import backends
from ketline.domain.backends.backend_jobs import BackendDescription, description_from_json

_PARAMETERS = BindParameters(name=Text(), description=backends.c.description.type)


@dataclass(frozen=True, slots=True)
class SqlBackendRegistry:
    """The `BackendRegistry` on a database."""

    database: Database

    async def register(self, name: str, description: BackendDescription) -> None:
        values = _PARAMETERS.parameters({"name": name, "description": asdict(description)})

        def work(connection: Connection) -> None:
            connection.execute(_upsert(dialect_of(connection)), values)

        await self.database.autocommit(work)

    async def known(self) -> Mapping[str, BackendDescription]:
        def work(connection: Connection) -> Sequence[Any]:
            return connection.execute(select(backends).order_by(backends.c.name)).all()

        return {row.name: description_from_json(row.description) for row in await self.database.read(work)}


@cache
def _upsert(dialect: Dialect) -> ReturningInsert[Any]:
    request = _PARAMETERS.one()
    columns = {"description": request.description, "last_seen_at": now()}
    statement: ReturningInsert[Any] = (
        dialect.insert(backends)
        .values(name=request.name, **columns)
        .on_conflict_do_update(index_elements=[backends.c.name], set_=columns)
        .returning(backends.c.name)
    )
    return statement
