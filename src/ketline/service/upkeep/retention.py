"""Retention: deletes ended tasks that are older, or more in number, than the operator wants to keep."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from ketline.ports.catalogue import TaskCatalogue
from ketline.ports.clock import Clock
from ketline.service.loop import Loop

log = structlog.get_logger()

INTERVAL_SECONDS = 60.0
# Between two batches, so that submissions and workers can use the database.
PAUSE_SECONDS = 0.1
BATCH = 200


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes ended tasks that are too old or too many; one runs in every process, and they share the work.

    With `age` None, tasks of any age are kept; with `most` None, any number of them.
    """

    catalogue: TaskCatalogue
    clock: Clock
    age: timedelta | None
    most: int | None

    async def run(self) -> None:
        """Apply the limits at intervals until cancelled."""
        await Loop(
            self.apply,
            INTERVAL_SECONDS,
            delayed="retention.delayed",
            crashed="retention.crashed",
            sleep=self.clock.sleep,
        ).run()

    async def apply(self) -> int:
        """Delete all tasks beyond the limits, and return their number.

        Raises:
            DatabaseUnavailable: some of them may have been deleted.
        """
        age, most, deleted = self.age, self.most, 0
        if age is not None:
            deleted += await self._until_done(lambda: self.catalogue.forget_older(age, BATCH))
        # Found once for all batches: finding it takes as many steps as there are tasks to keep.
        if most is not None and (last_kept := await self.catalogue.last_kept(most)) is not None:
            deleted += await self._until_done(lambda: self.catalogue.forget_before(last_kept, BATCH))
        if deleted:
            log.info("retention.deleted", tasks=deleted)
        return deleted

    async def _until_done(self, forget: Callable[[], Awaitable[int]]) -> int:
        deleted = count = await forget()
        while count == BATCH:
            await self.clock.sleep(PAUSE_SECONDS)
            count = await forget()
            deleted += count
        return deleted
