"""Statistics of all tasks, cached for all callers because counting tasks is slow.

The route `GET /tasks/stats` and the system page call it.
"""

import asyncio
from dataclasses import dataclass, field

from ketline.domain.tasks.lists import TaskStatistics
from ketline.ports.clock import Clock
from ketline.ports.tasks.catalogue import TaskCatalogue

# Counting a million tasks takes most of a second.
CACHE_SECONDS = 2.0


@dataclass(slots=True)
class CountTasks:
    """Returns statistics that are at most `CACHE_SECONDS` old; concurrent callers share one query."""

    catalogue: TaskCatalogue
    clock: Clock
    _counting: asyncio.Task[TaskStatistics] | None = field(default=None, init=False)
    _counted: TaskStatistics | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)

    async def __call__(self) -> TaskStatistics:
        """Return the cached statistics, or count the tasks.

        Raises:
            DatabaseUnavailable: the tasks could not be counted.
        """
        if self._counted is not None and self.clock.monotonic() - self._counted_at < CACHE_SECONDS:
            return self._counted
        if self._counting is None:
            self._counting = asyncio.create_task(self._count())
        # A failure is raised to all waiting callers: if each retried in turn, the last one would wait for all retries.
        return await asyncio.shield(self._counting)

    async def _count(self) -> TaskStatistics:
        try:
            self._counted = await self.catalogue.summarize()
            self._counted_at = self.clock.monotonic()
            return self._counted
        finally:
            self._counting = None
