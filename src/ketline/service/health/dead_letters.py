"""The dead letters of the queue: shows them to operators, cached, and requeues them. Used by the system page."""

from dataclasses import dataclass, field

from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.attempts.dead_letters import DeadLetters
from ketline.ports.access.audit import AuditLog
from ketline.ports.clock import Clock
from ketline.ports.tasks.queue import DeadLetterBox

# Cached, because the broker has to deliver the messages to show them.
CACHE_SECONDS = 30.0
MAX_SHOWN = 20
MAX_REQUEUED = 1000


@dataclass(slots=True)
class ManageDeadLetters:
    """Lists and requeues dead letters; without a `box`, as for the queue in memory, there are none."""

    clock: Clock
    audit: AuditLog
    box: DeadLetterBox | None = None
    _cached: DeadLetters | None = field(default=None, init=False)
    _cached_at: float = field(default=0.0, init=False)

    async def look(self) -> DeadLetters | None:
        """Return their number and the oldest ones, at most `CACHE_SECONDS` old; None without a `box`.

        Raises:
            QueueUnavailable: the broker does not answer.
        """
        if self.box is None:
            return None
        if self._cached is None or self.clock.monotonic() - self._cached_at >= CACHE_SECONDS:
            self._cached, self._cached_at = await self.box.look(MAX_SHOWN), self.clock.monotonic()
        return self._cached

    async def requeue(self, actor: Actor) -> int:
        """Record the action in the audit log, put the readable messages back on the queue, and return their number.

        Raises:
            DatabaseUnavailable: the action could not be recorded; nothing was requeued.
            QueueUnavailable: the broker failed; some may have been requeued.
        """
        self._cached = None
        if self.box is None:
            return 0
        await self.audit.add(AuditRecord(action=Action.DEAD_LETTERS_REQUEUED, actor=actor))
        return await self.box.requeue(MAX_REQUEUED)
