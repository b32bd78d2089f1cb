"""How many lanes of a worker may have a message: one for each simulator, and several while programs are short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ketline.ports.tasks import ConsumerSlot, Delivery


@dataclass(slots=True)
class ConsumerLimit:
    """Lets in as many lanes as are `allowed`; those too many leave as soon as they have no message in hand."""

    allowed: int = 0
    _inside: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _outside: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _receiving: list[asyncio.Future[Any]] = field(default_factory=list, init=False)

    def allow(self, lanes: int) -> None:
        """Let in more lanes, or have those that wait for a message leave until no more than these are inside."""
        self.allowed = lanes
        self._outside.set()
        self._send_out(self._inside - lanes)

    def close(self) -> None:
        """Let nobody in any more, and have all leave who have no message in hand."""
        self._closed = True
        self._outside.set()
        self._send_out(len(self._receiving))

    @asynccontextmanager
    async def inside(self) -> AsyncIterator[bool]:
        """For one lane: wait until it is let in; False when it never will be."""
        while not self._closed and self._inside >= self.allowed:
            self._outside.clear()
            await self._outside.wait()
        if self._closed:
            yield False
            return
        self._inside += 1
        try:
            yield True
        finally:
            self._inside -= 1
            self._outside.set()

    async def receive(self, slot: ConsumerSlot) -> Delivery | None:
        """The next message of a lane that is inside, None when the lane has to leave."""
        if self._closed or self._inside > self.allowed:
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

    def _send_out(self, lanes: int) -> None:
        waiting = [receiving for receiving in self._receiving if not receiving.done()]
        for receiving in waiting[: max(0, lanes)]:
            receiving.cancel()
