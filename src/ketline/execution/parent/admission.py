"""Admits the large programs of one worker one at a time; the worker's runners share one `Admission`."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from ketline.domain.errors import LongProgram, MachineBusy

MIN_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 30.0
# At most twenty of the waiting programs retry in a second.
SPACING_SECONDS = 0.05


class Permit:
    """The right to use the whole machine until `end` is called; calling it twice does no harm."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission

    def end(self) -> None:
        self._admission.leave(self)


class Admission:
    """Grants one permit at a time. Used by the threads of all runners of a worker.

    A rejected program gets a delay: as long as the current program has run so far, so that the number of retries grows
    with the logarithm of the wait. The delays end one after the other, in the order of the rejections.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._permit: Permit | None = None
        self._granted_at = 0.0
        self._last_retry_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether a large program runs now."""
        return self._permit is not None

    def enter(self) -> Permit:
        """Return the permit to run a large program; the caller ends it.

        Raises:
            MachineBusy: another large program runs; the error holds the delay before the next try.
        """
        with self._lock:
            now = self._clock()
            if self._permit is not None:  # guard: admission.one
                raise MachineBusy("it waits for a large program that runs now", delay=self._delay(now))
            self._permit, self._granted_at = Permit(self), now
            return self._permit

    def leave(self, permit: Permit) -> None:
        with self._lock:
            if self._permit is permit:
                self._permit = None

    def _delay(self, now: float) -> timedelta:
        retry_at = max(now + now - self._granted_at, now + MIN_DELAY_SECONDS)
        retry_at = max(retry_at, self._last_retry_at + SPACING_SECONDS)
        self._last_retry_at = min(retry_at, now + MAX_DELAY_SECONDS)
        return timedelta(seconds=self._last_retry_at - now)


class ShortProgramsOnly(Admission):
    """Rejects every admission request; for the simulator of the short slot, whose short programs send none."""

    def enter(self) -> Permit:
        raise LongProgram("it is long, and waits for a slot")
