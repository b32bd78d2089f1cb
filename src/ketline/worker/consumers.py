"""The limit on active consumers of a worker: one for each simulator, and more while programs are short.

The loops of all slots consume within it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ketline.ports.tasks.queue import ConsumerSlot, Delivery


@dataclass(slots=True)
class ConsumerLimit:
    """Lets at most `allowed` consumers be active, those with the lowest numbers; others stop once they hold no message.

    Numbers begin at 0, and no two consumers have the same. While it is paused, none is allowed.
    """

    wanted: int = 0
    _paused: bool = field(default=False, init=False)
    _active: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _receiving: dict[int, asyncio.Future[Delivery]] = field(default_factory=dict, init=False)

    @property
    def allowed(self) -> int:
        """How many consumers may be active now."""
        return 0 if self._paused else self.wanted

    @property
    def active_consumers(self) -> int:
        """How many consumers are active, with or without a message."""
        return self._active

    def allow(self, consumers: int) -> None:
        """Change the limit; if it is lower, consumers that wait for a message stop until it is met."""
        self.wanted = consumers
        self._apply()

    def pause(self, paused: bool) -> None:
        """Allow no consumer if `paused`, otherwise as many as the limit permits."""
        self._paused = paused
        self._apply()

    def close(self) -> None:
        """Let no further consumer become active, and stop those that hold no message."""
        self._closed = True
        self._changed.set()
        self._stop_waiting(0)

    @asynccontextmanager
    async def active(self, number: int) -> AsyncIterator[bool]:
        """Wait until this consumer may be active, and count it while the context is open; False once closed."""
        while not self._closed and max(number, self._active) >= self.allowed:
            self._changed.clear()
            await self._changed.wait()
        if self._closed:
            yield False
            return
        self._active += 1
        try:
            yield True
        finally:
            self._active -= 1
            self._changed.set()

    async def receive(self, number: int, slot: ConsumerSlot) -> Delivery | None:
        """Receive the next message for an active consumer; None when the consumer must stop."""
        if self._closed or number >= self.allowed or self._active > self.allowed:
            return None
        receiving = self._receiving[number] = asyncio.ensure_future(slot.receive())
        try:
            return await receiving
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return None
        finally:
            del self._receiving[number]
            if not receiving.done():
                receiving.cancel()

    def _apply(self) -> None:
        self._changed.set()
        self._stop_waiting(self.allowed)

    def _stop_waiting(self, allowed: int) -> None:
        """Stop waiting consumers, the highest numbers first: all above the limit, and more if too many are active."""
        waiting = sorted(number for number, receiving in self._receiving.items() if not receiving.done())
        surplus = max(self._active - allowed, sum(number >= allowed for number in waiting))
        for number in waiting[len(waiting) - min(surplus, len(waiting)) :]:
            self._receiving[number].cancel()
