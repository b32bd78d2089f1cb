"""Limits how many consumers of a worker are active: one for each simulator, and more while programs are short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ketline.ports.tasks import ConsumerSlot, Delivery


@dataclass(slots=True)
class ConsumerLimit:
    """Keeps at most `allowed` consumers active; surplus ones stop as soon as they hold no message."""

    allowed: int = 0
    _active: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _receiving: list[asyncio.Future[Any]] = field(default_factory=list, init=False)

    def allow(self, consumers: int) -> None:
        """Change the limit. Under a lower one, consumers that wait for a message stop until the limit holds."""
        self.allowed = consumers
        self._changed.set()
        self._stop_waiting(self._active - consumers)

    def close(self) -> None:
        """Activate no consumer any more, and stop all that hold no message."""
        self._closed = True
        self._changed.set()
        self._stop_waiting(len(self._receiving))

    @asynccontextmanager
    async def active(self) -> AsyncIterator[bool]:
        """Wait until one more consumer may be active, and count it in the context; gives False once closed."""
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
        """Receive the next message for an active consumer; None when the consumer has to stop."""
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
