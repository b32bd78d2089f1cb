"""The priority of waiting tasks, and a task's position in the queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A task goes before one that was submitted this much earlier per point of priority, so no task waits for ever.
SECONDS_PER_POINT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """The queue position of a waiting task at a moment of the database's clock, and the rate at which tasks end.

    `ahead` counts the waiting tasks before it; `counted_to_the_end` is False if there are more than were counted.
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
        """The position in the queue; 1 is claimed next."""
        return self.ahead + 1

    @property
    def estimated_start(self) -> datetime | None:
        """The estimated time of the claim, if tasks continue to end at this rate; None if it cannot be estimated."""
        if self.slots and self.ahead < self.free_slots:
            return self.at
        if not self.slots or not self.ended or not self.counted_to_the_end:
            return None
        return self.at + self.window * ((self.ahead - self.free_slots + 1) / self.ended)
