"""Contact with the database: whether it has lasted long enough for this process to judge which leases expired.

The reaper reaps only while contact is steady; workers report interruptions.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ketline.domain.attempts.leases import Outage
from ketline.ports.clock import Clock

# As a share of a lease. Leases are renewed three times in their duration, so a shorter outage lets none expire.
MAX_GAP = 2 / 3
# A difference between two clocks that is smaller than this is drift; a larger one is a step.
DRIFT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of the database's clock, with the local monotonic times of the query and its response in seconds."""

    at: datetime
    requested: float
    answered: float


@dataclass(slots=True)
class DatabaseContact:
    """Tracks contact with the database, and steps of its clock, by regular readings of that clock.

    A failed call, too long a time between two readings (because this process or the database was stopped) and a step of
    the database's clock interrupt contact. It is steady once it has lasted for the duration of a lease: by then every
    live worker has renewed its leases. `steady_at_start` is for the embedded service: when it starts, no other process
    can hold a lease. `outage` is the last interruption.
    """

    clock: Clock
    lease: timedelta
    steady_at_start: bool = False
    outage: Outage | None = field(default=None, init=False)
    _last: _Reading | None = field(default=None, init=False)
    _since: float | None = field(default=None, init=False)
    _unsteady_since: datetime | None = field(default=None, init=False)

    @property
    def steady(self) -> bool:
        """Whether contact has lasted for the duration of a lease without an interruption."""
        return self._since is not None and self.clock.monotonic() - self._since >= self.lease.total_seconds()

    def interrupted(self) -> None:
        """Record that a call failed: contact starts again with the next reading."""
        self._since = None

    def record(self, at: datetime, requested: float) -> bool:
        """Record a reading of the database's clock, queried at local time `requested`; True if it was set back."""
        reading, last = _Reading(at, requested, self.clock.monotonic()), self._last
        self._last = reading
        if last is None:
            self._since = -self.lease.total_seconds() if self.steady_at_start else reading.answered
            return False
        step = _step(last, reading)
        if self._since is None or reading.answered - last.answered > MAX_GAP * self.lease.total_seconds() or step:
            self._restart(last, reading)
        elif self.steady:
            self._unsteady_since = None
        return step < 0

    def _restart(self, last: _Reading, reading: _Reading) -> None:
        """Start contact again; the outage began at the last reading before the first interruption."""
        if self._unsteady_since is None:
            self._unsteady_since = last.at
        self.outage = Outage(since=self._unsteady_since, until=reading.at)
        self._since = reading.answered


def _step(last: _Reading, reading: _Reading) -> float:
    """Seconds by which the database's clock was set forward (positive) or back between two readings; 0 for drift."""
    moved = (reading.at - last.at).total_seconds()
    least, most = reading.requested - last.answered, reading.answered - last.requested
    if moved < least - DRIFT_SECONDS:
        return moved - least
    return moved - most if moved > most + DRIFT_SECONDS else 0.0
