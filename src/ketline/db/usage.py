"""The usage of all projects on a database. Used by `service/tasks/usage.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from ketline.db.engine.database import Database
from ketline.db.lists.usage import sums_of
from ketline.domain.access.usage import UsageQuery, UsageRow


@dataclass(frozen=True, slots=True)
class SqlUsageLedger:
    """A `UsageLedger` on a database."""

    database: Database

    async def sums(self, query: UsageQuery) -> Sequence[UsageRow]:
        return await self.database.read(lambda connection: sums_of(connection, query))
