"""Sums the usage of projects: what their tasks took."""

from collections.abc import Sequence
from typing import Protocol

from ketline.domain.access.usage import UsageQuery, UsageRow


class UsageLedger(Protocol):
    """The usage of all projects, of stored and of deleted tasks."""

    async def sums(self, query: UsageQuery) -> Sequence[UsageRow]:
        """Return the sums of each project, day and owner, as the query groups them, in this order.

        Its time grows with the number of stored tasks, so it is too slow to be called for each request.

        Raises:
            DatabaseUnavailable: the database cannot be read.
        """
        ...
