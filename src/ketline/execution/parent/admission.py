"""Lets the large programs of one worker run one at a time, each with the whole machine."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from ketline.domain.errors import MachineBusy

SHORTEST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
# However many wait, no more than twenty of them ask in a second.
SPACING_SECONDS = 0.05


class Permit:
    """The right to use the whole machine, until its end; ending it twice does no harm."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission

    def end(self) -> None:
        self._admission.leave(self)


class Admission:
    """Shared by the runners of a worker, whose threads call it.

    Who is turned away is told when to ask again: after as long as the program that runs has run so far, so that the
    number of times grows with the logarithm of the wait, and after everybody who was turned away before.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._grant: Permit | None = None
        self._granted_at = 0.0
        self._last_return = 0.0

    @property
    def busy(self) -> bool:
        """Whether a large program runs now."""
        return self._grant is not None

    def enter(self) -> Permit:
        """The right to run a large program, to be ended by who asked for it.

        Raises:
            MachineBusy: another large program runs; with the delay after which to ask again.
        """
        with self._lock:
            now = self._clock()
            if self._grant is not None:  # guard: admission.one
                raise MachineBusy("it waits for a large program that runs now", delay=self._delay(now))
            self._grant, self._granted_at = Permit(self), now
            return self._grant

    def leave(self, grant: Permit) -> None:
        with self._lock:
            if self._grant is grant:
                self._grant = None

    def _delay(self, now: float) -> timedelta:
        comes_back = max(now + now - self._granted_at, now + SHORTEST_DELAY_SECONDS)
        comes_back = max(comes_back, self._last_return + SPACING_SECONDS)
        self._last_return = min(comes_back, now + LONGEST_DELAY_SECONDS)
        return timedelta(seconds=self._last_return - now)
