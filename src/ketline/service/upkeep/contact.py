"""Whether this process has been in contact with the database long enough to judge whose lease is over."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ketline.domain.leases import Outage
from ketline.ports.tasks import Clock

# Of a lease: an outage that lets leases run out is longer than this, since each is renewed three times in its life.
LONGEST_GAP = 2 / 3
# What two clocks may drift apart between two looks before it is taken for a step.
DRIFT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at the database's clock, and the local times of the request and of its answer."""

    at: datetime
    requested: float
    answered: float


@dataclass(slots=True)
class DatabaseContact:
    """Tracks contact with the database, and steps of its clock, by looks at that clock.

    Contact is interrupted by a call that fails, by too long a time between two looks (this process, or the database,
    stood still), and by a step of the database's clock. It is steady once it has lasted for a whole lease: by then
    every worker that lives has renewed its leases. Where nobody else can hold a lease, as in the embedded service when
    it starts, it is `steady_at_start`.
    """

    clock: Clock
    lease: timedelta
    steady_at_start: bool = False
    outage: Outage | None = field(default=None, init=False)
    _last: _Look | None = field(default=None, init=False)
    _since: float | None = field(default=None, init=False)
    _unsteady_since: datetime | None = field(default=None, init=False)

    @property
    def steady(self) -> bool:
        """Whether contact has lasted for a whole lease without an interruption."""
        return self._since is not None and self.clock.monotonic() - self._since >= self.lease.total_seconds()

    def interrupted(self) -> None:
        """A call has failed: the contact begins anew with the next look."""
        self._since = None

    def looked(self, at: datetime, requested: float) -> bool:
        """Take note of the database's clock, read at the local time `requested`; whether it has been set back."""
        look, last = _Look(at, requested, self.clock.monotonic()), self._last
        self._last = look
        if last is None:
            self._since = -self.lease.total_seconds() if self.steady_at_start else look.answered
            return False
        step = _step(last, look)
        if self._since is None or look.answered - last.answered > LONGEST_GAP * self.lease.total_seconds() or step:
            self._begin_anew(last, look)
        elif self.steady:
            self._unsteady_since = None
        return step < 0

    def _begin_anew(self, last: _Look, look: _Look) -> None:
        """The outage reaches back to the last look before contact was interrupted for the first time."""
        if self._unsteady_since is None:
            self._unsteady_since = last.at
        self.outage = Outage(since=self._unsteady_since, until=look.at)
        self._since = look.answered


def _step(last: _Look, look: _Look) -> float:
    """Seconds by which the database's clock was set forward (positive) or back between two looks; 0 for drift."""
    moved = (look.at - last.at).total_seconds()
    least, most = look.requested - last.answered, look.answered - last.requested
    if moved < least - DRIFT_SECONDS:
        return moved - least
    return moved - most if moved > most + DRIFT_SECONDS else 0.0
