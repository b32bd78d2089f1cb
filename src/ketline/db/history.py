"""The history of statistics on a database. Used by the recorder and the routes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, select

from ketline.db.engine.clock import now
from ketline.db.engine.database import Database
from ketline.db.lists.deleted_minutes import delete_recorded
from ketline.db.lists.minutes import (
    UNRECORDED_FOR,
    Figures,
    count_minute,
    count_workers,
    delete_before,
    store_minute,
)
from ketline.db.lists.periods import read_history
from ketline.db.schema.tables import minutes
from ketline.domain.operations.history import History, HistoryQuery, Minute, minute_of, start_of

# The age beyond which a minute is no longer the last full one.
LATEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SqlStatisticsHistory:
    """A `StatisticsHistory` on a database; it records a minute until `latest` after the minute's end."""

    database: Database
    latest: timedelta = LATEST

    async def now(self) -> datetime:
        return await self.database.read(_now)

    async def record(self, minute: Minute) -> bool:
        end = start_of(minute + 1)

        def count(connection: Connection) -> tuple[Figures, list[Figures]] | None:
            is_recorded = select(exists().where(minutes.c.minute == minute))
            if not timedelta() <= _now(connection) - end < self.latest or connection.execute(is_recorded).scalar_one():
                return None
            return count_workers(connection), list(count_minute(connection, minute))

        # Counted before the transaction, which on SQLite would keep others from writing meanwhile.
        counted = await self.database.read(count)
        return counted is not None and await self.database.write(
            lambda connection: store_minute(connection, minute, *counted)
        )

    async def read(self, query: HistoryQuery) -> History:
        return await self.database.read(lambda connection: read_history(connection, query))

    async def delete_older(self, age: timedelta, limit: int) -> int:
        def work(connection: Connection) -> int:
            at = _now(connection)
            delete_recorded(connection, minute_of(at - 2 * UNRECORDED_FOR))
            return delete_before(connection, minute_of(at - age), limit)

        return await self.database.write(work)


def _now(connection: Connection) -> Any:
    return connection.execute(select(now())).scalar_one()
