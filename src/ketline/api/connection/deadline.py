"""A deadline that is cheap to move, for the timeouts of `protocol.py`, which rarely expire."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `on_expiry` when the deadline passes, unless it was moved or cleared first.

    A connection sets the deadline anew for each request, but rarely creates a timer: setting a later deadline keeps the
    current timer. If the timer fires before the deadline, it is started again for the rest of the time.
    """

    __slots__ = ("_loop", "_on_expiry", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expiry = on_expiry
        self._when: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        return self._when is not None

    def set(self, seconds: float) -> None:
        """Expire this many seconds from now."""
        self._when = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._when:
            self._arm(self._when)

    def clear(self) -> None:
        """Do not expire until `set` is called again; the timer is kept."""
        self._when = None

    def cancel(self) -> None:
        """Do not expire, and cancel the timer."""
        self._when = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._when is None:
            return
        if self._loop.time() < self._when:
            self._arm(self._when)
            return
        self._when = None
        self._on_expiry()
