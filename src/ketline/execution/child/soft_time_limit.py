"""Limits the time for reading a program with an alarm, and measures the time of reading and simulating."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# The alarm repeats, because an exception that it raises inside a callback can be lost there.
_ALARM_REPEATS_SECONDS = 0.5
# Zero seconds would disable the alarm.
_MIN_SECONDS = 1e-3


class SoftTimeLimit(BaseException):
    """Raised by the alarm; no library's `except Exception` catches it."""


@contextmanager
def soft_time_limit(seconds: float) -> Iterator[None]:
    """Raise `SoftTimeLimit` in the block after `seconds`. The exception interrupts only Python code, not Aer.

    If the exception was lost inside the block, for example in a callback of the garbage collector, it is raised at the
    end of the block.
    """
    rung = False

    def ring(_signal: int, _frame: FrameType | None) -> None:
        nonlocal rung
        rung = True
        raise SoftTimeLimit

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _ALARM_REPEATS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if rung:
        raise SoftTimeLimit


class Stopwatch:
    """Sums the seconds of reading, which are limited, and those of simulating."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self.reading_seconds = 0.0
        self.simulating_seconds = 0.0

    @contextmanager
    def reading(self) -> Iterator[None]:
        started = time.perf_counter()
        with soft_time_limit(max(_MIN_SECONDS, self._limit_seconds - self.reading_seconds)):
            yield
        self.reading_seconds += time.perf_counter() - started

    @contextmanager
    def simulating(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.simulating_seconds += time.perf_counter() - started
