"""Usage of projects, cached because it is summed over all tasks that are stored.

The routes `GET /usage` and `/ui/usage` call it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ketline.domain.access.usage import UsageQuery, UsageRow
from ketline.ports.access.usage import UsageLedger
from ketline.ports.clock import Clock

MIN_CACHE_SECONDS = 2.0
# Sums are cached for this multiple of their query's duration, so queries take at most 5 % of the database's time.
CACHE_FACTOR = 20
MAX_CACHED = 100


@dataclass(frozen=True, slots=True)
class _Cached:
    rows: Sequence[UsageRow]
    until: float


@dataclass(slots=True)
class SumUsage:
    """Sums usage for one query at a time; concurrent callers with the same query share the sums."""

    ledger: UsageLedger
    clock: Clock
    _cached: OrderedDict[UsageQuery, _Cached] = field(default_factory=OrderedDict, init=False)
    _summing: dict[UsageQuery, asyncio.Task[Sequence[UsageRow]]] = field(default_factory=dict, init=False)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __call__(self, query: UsageQuery) -> Sequence[UsageRow]:
        """Return the sums that a query selects, which may be some seconds old.

        Raises:
            DatabaseUnavailable: the tasks could not be read.
        """
        cached = self._cached.get(query)
        if cached is not None and self.clock.monotonic() < cached.until:
            return cached.rows
        if query not in self._summing:
            self._summing[query] = asyncio.create_task(self._sum(query))
        # As in `statistics.py`, a failure is raised to all waiting callers.
        return await asyncio.shield(self._summing[query])

    async def _sum(self, query: UsageQuery) -> Sequence[UsageRow]:
        try:
            async with self._one_at_a_time:
                started = self.clock.monotonic()
                rows = await self.ledger.sums(query)
                ended = self.clock.monotonic()
            until = ended + max(MIN_CACHE_SECONDS, CACHE_FACTOR * (ended - started))
            self._cached[query] = _Cached(rows, until)
            self._cached.move_to_end(query)
            if len(self._cached) > MAX_CACHED:
                self._cached.popitem(last=False)
            return rows
        finally:
            del self._summing[query]
