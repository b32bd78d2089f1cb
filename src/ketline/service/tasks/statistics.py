"""Count the tasks, for any number of callers, not more often than the database can well bear."""

import asyncio
from dataclasses import dataclass, field

from ketline.domain.lists import TaskStatistics
from ketline.ports.catalogue import TaskCatalogue
from ketline.ports.tasks import Clock

# Counting a million tasks takes a good part of a second.
KEPT_SECONDS = 2.0


@dataclass(slots=True)
class CountTasks:
    """Gives statistics that are at most `KEPT_SECONDS` old; callers at the same time share one count."""

    catalogue: TaskCatalogue
    clock: Clock
    _counting: asyncio.Task[TaskStatistics] | None = field(default=None, init=False)
    _counted: TaskStatistics | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)

    async def __call__(self) -> TaskStatistics:
        """Count, unless that has just been done, or is being done.

        Raises:
            DatabaseUnavailable: there is no recent count.
        """
        if self._counted is not None and self.clock.monotonic() - self._counted_at < KEPT_SECONDS:
            return self._counted
        if self._counting is None:
            self._counting = asyncio.create_task(self._count())
        # A failure is for all who wait: one try after the other would keep the last of them waiting without end.
        return await asyncio.shield(self._counting)

    async def _count(self) -> TaskStatistics:
        try:
            self._counted = await self.catalogue.summarize()
            self._counted_at = self.clock.monotonic()
            return self._counted
        finally:
            self._counting = None
