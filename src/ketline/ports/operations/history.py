"""Records and reads the history of statistics."""

from datetime import datetime, timedelta
from typing import Protocol

from ketline.domain.operations.history import History, HistoryQuery, Minute


class StatisticsHistory(Protocol):
    """The history of all projects."""

    async def now(self) -> datetime:
        """Return the time of the clock that all processes share.

        Raises:
            DatabaseUnavailable: the database cannot be read.
        """
        ...

    async def record(self, minute: Minute) -> bool:
        """Record the figures of the last full minute; False if it is recorded already, or another minute has ended.

        Of several callers one records the minute, and no other changes it.

        Raises:
            DatabaseUnavailable: it is not known whether the minute was recorded.
        """
        ...

    async def read(self, query: HistoryQuery) -> History:
        """Return the recorded periods that a query selects.

        Raises:
            DatabaseUnavailable: the database cannot be read.
        """
        ...

    async def delete_older(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` minutes that are older than `age`, and return their number.

        Raises:
            DatabaseUnavailable: some of them may have been deleted.
        """
        ...
