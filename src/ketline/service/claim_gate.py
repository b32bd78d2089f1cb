"""Whether a worker may claim tasks: it reads pauses and its own drain once a second, and its consumers obey.

`runtime` runs a `FollowStops` in each worker; the loops of `ketline.worker` register what they consume with its gate.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from ketline.domain.attempts.claim_stops import ClaimStops
from ketline.domain.ids import WorkerId
from ketline.domain.tasks.queues import TaskQueue
from ketline.ports.clock import Clock
from ketline.ports.operations.claim_controls import ClaimControls
from ketline.service.loop import Loop

log = structlog.get_logger()

INTERVAL_SECONDS = 1.0
NOTHING_STOPPED = ClaimStops()


class Pausable(Protocol):
    """The consumers of one queue; those that hold no message stop while they are paused."""

    @property
    def active_consumers(self) -> int:
        """The number of consumers that may hold a message."""
        ...

    def pause(self, paused: bool) -> None:
        """Stop the consumers, or let them continue."""
        ...


@dataclass(slots=True)
class ClaimGate:
    """Stops and continues the consumers of a worker by what stops its claims; with `stops` None nothing may run yet."""

    stops: ClaimStops | None = field(default=NOTHING_STOPPED)
    _consumers: list[tuple[TaskQueue, Pausable]] = field(default_factory=list, init=False)

    @property
    def idle(self) -> bool:
        """Whether no consumer can hold a message, so that no claim is under way."""
        return all(consumers.active_consumers == 0 for _, consumers in self._consumers)

    @property
    def draining_since(self) -> datetime | None:
        """Since when this worker is being drained."""
        return None if self.stops is None else self.stops.draining_since

    def add(self, queue: TaskQueue, consumers: Pausable) -> None:
        """Stop these consumers from now on whenever claims of their queue are stopped."""
        self._consumers.append((queue, consumers))
        consumers.pause(not self._allows(queue))

    @contextmanager
    def obeyed(self, queue: TaskQueue, consumers: Pausable) -> Iterator[None]:
        """Do as `add` while the context is open, for consumers that end with it."""
        self.add(queue, consumers)
        try:
            yield
        finally:
            self._consumers = [known for known in self._consumers if known[1] is not consumers]

    def update(self, stops: ClaimStops) -> bool:
        """Obey what stops claims now; True if that has changed."""
        changed = replace(self.stops or NOTHING_STOPPED, drained=False) != replace(stops, drained=False)
        self.stops = stops
        for queue, consumers in self._consumers:
            consumers.pause(not self._allows(queue))
        return changed

    def _allows(self, queue: TaskQueue) -> bool:
        return self.stops is not None and self.stops.allows(queue)


@dataclass(frozen=True, slots=True)
class FollowStops:
    """Reads once a second what stops the claims of this worker, and records when it is drained.

    While the database does not respond, which permits no claims either, the last state remains.
    """

    controls: ClaimControls
    clock: Clock
    worker_id: WorkerId
    gate: ClaimGate
    interval_seconds: float = INTERVAL_SECONDS

    async def run(self) -> None:
        """Follow until cancelled."""
        await Loop(
            self.follow,
            self.interval_seconds,
            delayed="claim_stops.not_read",
            crashed="claim_stops.crashed",
            sleep=self.clock.sleep,
            quiet=True,
        ).run()

    async def follow(self) -> None:
        """Read and obey what stops claims now.

        Raises:
            DatabaseUnavailable: it could not be read.
        """
        stops = await self.controls.stops_of(self.worker_id, self.gate.draining_since)
        if self.gate.update(stops):
            draining = stops.draining_since is not None
            log.info("worker.claim_stops_changed", paused=sorted(stops.scopes), draining=draining)
        finished = stops.draining_since is not None and not stops.drained and self.gate.idle
        if finished and await self.controls.record_drained(self.worker_id):
            log.info("worker.drained")
