"""The queue inside one process: bounded, first in first out, gone with the process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ketline.domain.errors import PublishFailed
from ketline.domain.task import CorrelationId, Dispatch, TaskId


class MemoryQueue:
    """Both `TaskPublisher` and `TaskConsumer`, for the embedded mode.

    It holds up to `capacity` waiting messages, and for a moment more when slots hand messages back; the database
    refills it after a restart.
    """

    def __init__(self, *, capacity: int = 1000, publish_timeout_seconds: float = 5.0) -> None:
        self._capacity = capacity
        self._publish_timeout_seconds = publish_timeout_seconds
        self._waiting: deque[Dispatch] = deque()
        self._changed = asyncio.Event()

    async def publish(self, dispatch: Dispatch) -> None:
        try:
            async with asyncio.timeout(self._publish_timeout_seconds):
                await self.until(lambda: len(self._waiting) < self._capacity)
        except TimeoutError as error:
            raise PublishFailed(f"Task {dispatch.task_id} not published: the queue is full") from error
        self._waiting.append(dispatch)
        self.announce()

    async def ping(self) -> None:
        return

    async def depth(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def open_slot(self) -> "AsyncIterator[MemorySlot]":
        slot = MemorySlot(self, self._waiting)
        try:
            yield slot
        finally:
            slot.hand_back()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition on the queue; those who wait longest look first."""
        while not condition():
            await self._changed.wait()

    def announce(self) -> None:
        """Have everybody look again."""
        self._changed.set()
        self._changed = asyncio.Event()


class MemorySlot:
    """A `ConsumerSlot` on a `MemoryQueue`."""

    def __init__(self, queue: MemoryQueue, waiting: deque[Dispatch]) -> None:
        self._queue = queue
        self._waiting = waiting
        self._in_hand: MemoryDelivery | None = None

    async def receive(self) -> "MemoryDelivery":
        await self._queue.until(lambda: self._in_hand is None and bool(self._waiting))
        # No await from here on: a call that is cancelled has taken nothing.
        self._in_hand = MemoryDelivery(self._waiting.popleft(), self)
        self._queue.announce()
        return self._in_hand

    def settle(self, delivery: "MemoryDelivery") -> None:
        """Forget a delivery that is dealt with; nothing happens when it was handed back before."""
        if self._in_hand is delivery:
            self._in_hand = None
            self._queue.announce()

    def hand_back(self) -> None:
        """Put an unacknowledged message back to the front of the queue."""
        if self._in_hand is not None:
            self._waiting.appendleft(self._in_hand.dispatch)
            self._in_hand = None
            self._queue.announce()


class MemoryDelivery:
    """A `Delivery` by a `MemoryQueue`."""

    def __init__(self, dispatch: Dispatch, slot: MemorySlot) -> None:
        self.dispatch = dispatch
        self._slot = slot

    @property
    def task_id(self) -> TaskId:
        return self.dispatch.task_id

    @property
    def correlation_id(self) -> CorrelationId:
        return self.dispatch.correlation_id

    async def acknowledge(self) -> None:
        self._slot.settle(self)
