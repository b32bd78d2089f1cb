"""Occupancy: whether all simulators of a worker run long programs, so that a new program would wait long.

The pool reports to it, and the slot for short programs runs only while all simulators are occupied.
"""

import asyncio
from collections.abc import Callable

# A program that ends earlier frees its simulator soon enough for the tasks that wait.
OCCUPIED_SECONDS = 0.5


class Occupancy:
    """Simulators are occupied once all of them have run their current programs for `seconds`.

    The pool calls `update`. `changed` is called with the new value whenever `occupied` changes.
    """

    def __init__(self, seconds: float = OCCUPIED_SECONDS) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._occupied = asyncio.Event()
        self._closed = False
        self.changed: Callable[[bool], None] = lambda _occupied: None

    @property
    def occupied(self) -> bool:
        """Whether all simulators are occupied now; False after `close`."""
        return self._occupied.is_set() and not self._closed

    def update(self, *, all_busy: bool) -> None:
        """Record that a simulator started or ended a program, and whether all of them run one now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        if self._occupied.is_set():
            self._occupied.clear()
            self.changed(False)
        if all_busy:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._set)

    def close(self) -> None:
        """End all waits; from now on the simulators count as free."""
        self.update(all_busy=False)
        self._closed = True
        self._occupied.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until all simulators are occupied and return True; return False after `seconds`, and after `close`."""
        try:
            async with asyncio.timeout(seconds):
                while not self._occupied.is_set():
                    await self._occupied.wait()
        except TimeoutError:
            return False
        return not self._closed

    def _set(self) -> None:
        self._timer = None
        self._occupied.set()
        self.changed(True)
