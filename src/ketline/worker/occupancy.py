"""Whether all simulators of a worker are occupied, so that a program that comes now would wait for long."""

import asyncio
from collections.abc import Callable

# Programs that take no longer leave a slot free soon enough for everybody.
OCCUPIED_SECONDS = 0.5


class Occupancy:
    """Occupied are simulators that have all run their present programs for `seconds`; `changed` is called with it."""

    def __init__(self, seconds: float = OCCUPIED_SECONDS) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._occupied = asyncio.Event()
        self._closed = False
        self.changed: Callable[[bool], None] = lambda _occupied: None

    @property
    def occupied(self) -> bool:
        """Whether they are occupied now."""
        return self._occupied.is_set() and not self._closed

    def update(self, *, all_busy: bool) -> None:
        """A simulator was given a program, or has none any more."""
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
        """End all waits, and be occupied no more."""
        self.update(all_busy=False)
        self._closed = True
        self._occupied.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Whether they are occupied, as soon as they are; False when that takes longer, and after `close`."""
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
