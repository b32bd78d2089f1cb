"""Tasks that a worker deferred because its machine was busy: recalls the oldest one when the machine is free."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from ketline.domain.attempts.claim import Lease
from ketline.domain.errors import DatabaseUnavailable, LongProgram, MachineBusy
from ketline.domain.ids import TaskId
from ketline.ports.clock import Clock
from ketline.ports.tasks.repositories import DeferredTasks

log = structlog.get_logger()

# How long a recalled task has to be claimed by this worker before the next one is recalled.
RECALL_TIMEOUT_SECONDS = 5.0


class Deferrals:
    """Defers tasks for one worker, and recalls them before their delay is over when the machine is free.

    It holds the leases of the tasks that this worker deferred, only in memory. If they are lost, no task is lost: each
    becomes available when its delay is over. `busy` says whether a large program runs here; `nudge` wakes the
    dispatcher.
    """

    def __init__(
        self, repository: DeferredTasks, clock: Clock, busy: Callable[[], bool], nudge: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._busy = busy
        self._nudge = nudge
        self._available_at: dict[Lease, float] = {}
        self._recalled: TaskId | None = None
        self._recall_expires_at = 0.0

    async def defer(self, lease: Lease, delay: timedelta, cause: str = MachineBusy.code) -> bool:
        """Defer a task as `DeferredTasks.defer` does; a long task is dispatched at once, before later tasks."""
        deferred = await self._repository.defer(lease, delay, cause)
        if deferred and cause == LongProgram.code:
            self._nudge()
        if deferred and delay:
            self._available_at[lease] = self._clock.monotonic() + delay.total_seconds()
        return deferred

    async def recall(self, ended: TaskId) -> None:
        """Make the oldest deferred task available, now that an attempt of the task `ended` is over.

        Does nothing when no task is deferred, when the machine is busy, or when a task that was recalled before has not
        run yet and its time for that is not over.
        """
        if not self._available_at or self._busy():
            return
        if self._recalled not in {None, ended} and self._clock.monotonic() < self._recall_expires_at:
            return
        while (lease := self._take_oldest()) is not None:
            self._recalled, self._recall_expires_at = lease.task_id, self._clock.monotonic() + RECALL_TIMEOUT_SECONDS
            try:
                recalled = await self._repository.recall(lease)
            except DatabaseUnavailable:
                return
            if recalled:
                self._nudge()
                log.info("task.recalled", task_id=str(lease.task_id))
                return
            self._recalled = None

    def _take_oldest(self) -> Lease | None:
        """Remove and return the lease of the oldest task, which has the lowest id; drop those whose delay is over."""
        now = self._clock.monotonic()
        self._available_at = {lease: at for lease, at in self._available_at.items() if at > now}
        oldest = min(self._available_at, key=lambda lease: lease.task_id, default=None)
        if oldest is not None:
            del self._available_at[oldest]
        return oldest
