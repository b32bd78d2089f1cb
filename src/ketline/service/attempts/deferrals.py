"""The large tasks that a worker turned away: when the machine is free again, the first of them is called back."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from ketline.domain.errors import DatabaseUnavailable, LongProgram, MachineBusy
from ketline.domain.task import Lease, TaskId
from ketline.ports.repositories import DeferredTasks
from ketline.ports.tasks import Clock

log = structlog.get_logger()

# For one who was called back to come; then the next is called.
COMING_SECONDS = 5.0


class Deferrals:
    """Kept by one worker of the tasks it deferred itself; what it forgets comes back by itself after its delay.

    `busy` tells whether a large program runs here, `nudge` wakes the dispatcher.
    """

    def __init__(
        self, repository: DeferredTasks, clock: Clock, busy: Callable[[], bool], nudge: Callable[[], None]
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._busy = busy
        self._nudge = nudge
        self._until: dict[Lease, float] = {}
        self._coming: TaskId | None = None
        self._coming_until = 0.0

    async def defer(self, lease: Lease, delay: timedelta, cause: str = MachineBusy.code) -> bool:
        """As `DeferredTasks.defer`; a long task is queued again at once, so that none that came later passes it."""
        deferred = await self._repository.defer(lease, delay, cause)
        if deferred and cause == LongProgram.code:
            self._nudge()
        if deferred and delay:
            self._until[lease] = self._clock.monotonic() + delay.total_seconds()
        return deferred

    async def recall(self, seen: TaskId) -> None:
        """After the attempt `seen`, call back the task that came first.

        Not where nobody waits, the machine is taken, or one that was called back is still to come.
        """
        if not self._until or self._busy():
            return
        if self._coming not in {None, seen} and self._clock.monotonic() < self._coming_until:
            return
        while (lease := self._first()) is not None:
            self._coming, self._coming_until = lease.task_id, self._clock.monotonic() + COMING_SECONDS
            try:
                recalled = await self._repository.recall(lease)
            except DatabaseUnavailable:
                return
            if recalled:
                self._nudge()
                log.info("task.recalled", task_id=str(lease.task_id))
                return
            self._coming = None

    def _first(self) -> Lease | None:
        """Take out the one whose id is the lowest: ids grow. Those whose delay is over come by themselves."""
        now = self._clock.monotonic()
        self._until = {lease: until for lease, until in self._until.items() if until > now}
        first = min(self._until, key=lambda lease: lease.task_id, default=None)
        if first is not None:
            del self._until[first]
        return first
