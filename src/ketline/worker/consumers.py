"""The limit on active consumers of a worker: one for each simulator, and more while programs are short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ketline.ports.queue import ConsumerSlot, Delivery


@dataclass(slots=True)
class ConsumerLimit:
    """Lets at most `allowed` consumers be active; surplus ones stop once they hold no message."""

    allowed: int = 0
    _active: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _receiving: list[asyncio.Future[Any]] = field(default_factory=list, init=False)

    def allow(self, consumers: int) -> None:
        """Change the limit; if it is lower, consumers that wait for a message stop until it is met."""
        self.allowed = consumers
        self._changed.set()
        self._stop_waiting(self._active - consumers)

    def close(self) -> None:
        """Let no further consumer become active, and stop those that hold no message."""
        self._closed = True
        self._changed.set()
        self._stop_waiting(len(self._receiving))

    @asynccontextmanager
    async def active(self) -> AsyncIterator[bool]:
        """Wait until another consumer may be active, and count it while the context is open; False once closed."""
        while not self._closed and self._active >= self.allowed:
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

    async def receive(self, slot: ConsumerSlot) -> Delivery | None:
        """Receive the next message for an active consumer; None when the consumer must stop."""
        if self._closed or self._active > self.allowed:
            return None
        receiving = asyncio.ensure_future(slot.receive())
        self._receiving.append(receiving)
        try:
            return await receiving
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return None
        finally:
            self._receiving.remove(receiving)
            if not receiving.done():
                receiving.cancel()

    def _stop_waiting(self, consumers: int) -> None:
        waiting = [receiving for receiving in self._receiving if not receiving.done()]
        for receiving in waiting[: max(0, consumers)]:
            receiving.cancel()
