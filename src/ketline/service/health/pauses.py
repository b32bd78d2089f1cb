"""The pauses of queues as the API shows them, cached for all callers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ketline.domain.attempts.claim_stops import Pause
from ketline.ports.clock import Clock
from ketline.ports.operations.claim_controls import ClaimControls

# Health checks of load balancers must not each cost a query.
CACHE_SECONDS = 1.0
# A health check has to respond within two seconds, and first waits for the database.
MAX_WAIT_SECONDS = 0.5


@dataclass(slots=True)
class KnownPauses:
    """Returns pauses that are at most `CACHE_SECONDS` old; concurrent callers share one query."""

    controls: ClaimControls
    clock: Clock
    longest_wait_seconds: float = MAX_WAIT_SECONDS
    _known: Sequence[Pause] | None = field(default=None, init=False)
    _known_at: float = field(default=0.0, init=False)
    _reading: asyncio.Task[Sequence[Pause]] | None = field(default=None, init=False)

    async def __call__(self) -> Sequence[Pause]:
        """Return all pauses.

        Raises:
            DatabaseUnavailable: they could not be read.
        """
        if self._known is not None and self.clock.monotonic() - self._known_at < CACHE_SECONDS:
            return self._known
        return await asyncio.shield(self._read_once())

    async def last_known(self) -> Sequence[Pause] | None:
        """Return all pauses, or after half a second those that were read last; None if none were ever read."""
        if self._known is None or self.clock.monotonic() - self._known_at >= CACHE_SECONDS:
            await asyncio.wait([self._read_once()], timeout=self.longest_wait_seconds)
        return self._known

    def forget(self) -> None:
        """Read the pauses again at the next call, because they have changed."""
        self._known = self._reading = None

    def _read_once(self) -> asyncio.Task[Sequence[Pause]]:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            # Retrieve the error of a slow read that nothing awaits any more; otherwise asyncio would log it.
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._reading

    async def _read(self) -> Sequence[Pause]:
        began = self.clock.monotonic()
        self._known = known = await self.controls.pauses()
        self._known_at = began
        return known
