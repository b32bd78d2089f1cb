"""Contents by their digests on a database, each stored once, as long as something refers to it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import dialect_of


@dataclass(frozen=True, slots=True)
class SqlContents(ABC):
    """Contents in a table with the columns `digest`, `content` and `used_at`."""

    database: Database

    @property
    @abstractmethod
    def _table(self) -> Table:
        """The table."""

    @abstractmethod
    def _unused(self) -> Sequence[ColumnElement[bool]]:
        """The conditions under which nothing refers to a content."""

    async def keep(self, digest: str, text: str) -> None:
        def work(connection: Connection) -> None:
            new = dialect_of(connection).insert(self._table)
            # Written anew also where it is stored: a request that is faster would tell that others have the same.
            kept = new.values(digest=digest, content=text, used_at=now()).on_conflict_do_update(
                index_elements=[self._table.c.digest],
                set_={"content": new.excluded.content, "used_at": now()},
            )
            connection.execute(kept)

        await self.database.write(work)

    async def get(self, digest: str) -> str | None:
        statement = select(self._table.c.content).where(self._table.c.digest == digest)
        found = await self.database.read(lambda connection: connection.execute(statement).scalar_one_or_none())
        return None if found is None else str(found)

    async def delete_unused(self, age: timedelta, limit: int) -> int:
        contents = self._table.c
        unused = (
            select(contents.digest)
            .where(contents.used_at < from_now(-age.total_seconds()), *self._unused())
            .order_by(contents.used_at)
            .limit(limit)
        )
        # Once more, for rows that were kept again since they were found.
        statement = delete(self._table).where(
            contents.digest.in_(unused),
            contents.used_at < from_now(-age.total_seconds()),
        )
        return await self.database.write(lambda connection: int(connection.execute(statement).rowcount))
