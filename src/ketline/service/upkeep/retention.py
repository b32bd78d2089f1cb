"""Retention: deletes tasks, audit entries, history and deliveries beyond the operator's limits, and unused devices."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from ketline.ports.access.audit import AuditLog
from ketline.ports.clock import Clock
from ketline.ports.devices.device_contents import DeviceContents
from ketline.ports.devices.noise_contents import NoiseContents
from ketline.ports.operations.history import StatisticsHistory
from ketline.ports.tasks.catalogue import TaskCatalogue
from ketline.ports.webhooks import DeliveryQueue
from ketline.service.loop import Loop

log = structlog.get_logger()

INTERVAL_SECONDS = 60.0
# Between two batches, so that submissions and workers can use the database.
PAUSE_SECONDS = 0.1
BATCH = 200
# Content without tasks is kept for this time, because a submission stores it before its task.
UNUSED_CONTENT_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes ended tasks that are too old or too many, and entries of the audit log that are older than `audit_age`.

    It deletes minutes of the history that are older than `history_age`, too. One runs in every process, and they share
    the work. With `age` or `audit_age` None, tasks or entries of any age are kept; with `most` None, any number of
    tasks. It also deletes `contents` and `noise` that no task and no device refers to, and `deliveries` that ended
    longer ago than `delivery_age`.
    """

    catalogue: TaskCatalogue
    clock: Clock
    age: timedelta | None
    most: int | None
    audit: AuditLog
    audit_age: timedelta | None
    contents: DeviceContents
    noise: NoiseContents
    history: StatisticsHistory
    history_age: timedelta
    deliveries: DeliveryQueue
    delivery_age: timedelta

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
        age, audit_age, most, deleted = self.age, self.audit_age, self.most, 0
        if age is not None:
            deleted += await self._until_done(lambda: self.catalogue.delete_older(age, BATCH))
        # Found once for all batches: finding it takes as many steps as there are tasks to keep.
        if most is not None and (last_kept := await self.catalogue.last_kept(most)) is not None:
            deleted += await self._until_done(lambda: self.catalogue.delete_before(last_kept, BATCH))
        if deleted:
            log.info("retention.deleted", tasks=deleted)
        if audit_age is not None:
            await self._until_done(lambda: self.audit.delete_older(audit_age, BATCH))
        await self._until_done(lambda: self.deliveries.delete_ended(self.delivery_age, BATCH))
        for contents in (self.contents, self.noise):
            await self._until_done(partial(contents.delete_unused, UNUSED_CONTENT_AGE, BATCH))
        await self._until_done(lambda: self.history.delete_older(self.history_age, BATCH))
        return deleted

    async def _until_done(self, delete_batch: Callable[[], Awaitable[int]]) -> int:
        deleted = count = await delete_batch()
        while count == BATCH:
            await self.clock.sleep(PAUSE_SECONDS)
            count = await delete_batch()
            deleted += count
        return deleted
