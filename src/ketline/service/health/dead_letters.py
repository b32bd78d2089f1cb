"""Look at what was set aside, for any number of open pages, and put it back."""

from dataclasses import dataclass, field

from ketline.domain.dead_letters import DeadLetters
from ketline.ports.tasks import Clock, DeadLetterBox

# The broker hands messages out to have them looked at.
KEPT_SECONDS = 30.0
MOST_SHOWN = 20
MOST_REQUEUED = 1000


@dataclass(slots=True)
class KeepDeadLetters:
    """Gives what is at most `KEPT_SECONDS` old; without a `box` there is nothing to keep."""

    clock: Clock
    box: DeadLetterBox | None = None
    _seen: DeadLetters | None = field(default=None, init=False)
    _seen_at: float = field(default=0.0, init=False)

    async def look(self) -> DeadLetters | None:
        """How many there are and the oldest of them; None where messages are never set aside.

        Raises:
            QueueUnavailable: the broker does not tell.
        """
        if self.box is None:
            return None
        if self._seen is None or self.clock.monotonic() - self._seen_at >= KEPT_SECONDS:
            self._seen, self._seen_at = await self.box.look(MOST_SHOWN), self.clock.monotonic()
        return self._seen

    async def requeue(self) -> int:
        """Put back those that can be read, and give how many it were.

        Raises:
            QueueUnavailable: the broker does not do it, or not to the end.
        """
        self._seen = None
        return 0 if self.box is None else await self.box.requeue(MOST_REQUEUED)
