"""A deadline that is cheap to move, for timeouts that rarely expire."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `on_expiry` when the time is over, unless the deadline was moved or cleared before.

    It has a single timer. When that fires before the deadline, which was moved meanwhile, it is set again; so a request
    does not need a new timer.
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
        """Do not expire."""
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
