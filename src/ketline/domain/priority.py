"""The order in which waiting tasks are taken."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LOWEST, HIGHEST = -100, 100
# A task waits in front of one that came so much earlier for each point that it has more: no task waits for ever.
SECONDS_PER_POINT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Where a waiting task stood at a moment of the database's clock, and how fast those before it are taken.

    `ahead` counts the waiting tasks before it, up to a number above which it is only `counted_to_the_end` False.
    `free_slots` are slots of live workers without a task; `ended` is how many tasks ended in the last `window`.
    """

    at: datetime
    ahead: int
    counted_to_the_end: bool
    slots: int
    free_slots: int
    ended: int
    window: timedelta

    @property
    def position(self) -> int:
        """Its place in the queue, 1 being the next."""
        return self.ahead + 1

    @property
    def estimated_start(self) -> datetime | None:
        """When a worker will take it if tasks go on ending as they did; None where there is nothing to tell by."""
        if self.slots and self.ahead < self.free_slots:
            return self.at
        if not self.slots or not self.ended or not self.counted_to_the_end:
            return None
        return self.at + self.window * ((self.ahead - self.free_slots + 1) / self.ended)
