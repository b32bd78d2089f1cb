"""The queue of the embedded service: in memory, bounded, first in first out."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ketline.domain.errors import PublishFailed
from ketline.domain.task import CorrelationId, Dispatch, TaskId


class MemoryQueue:
    """Both `TaskPublisher` and `TaskConsumer`, for the embedded mode.

    It holds up to `capacity` waiting messages, briefly more when slots hand messages back. After a restart the
    dispatcher fills it from the database. Calls that wait for a message or for room are served in their order, and only
    the first one is woken.
    """

    def __init__(self, *, capacity: int = 1000, publish_timeout_seconds: float = 5.0) -> None:
        self._capacity = capacity
        self._publish_timeout_seconds = publish_timeout_seconds
        self._waiting: deque[Dispatch] = deque()
        self._receiving: deque[asyncio.Future[Dispatch]] = deque()
        self._publishing: deque[tuple[Dispatch, asyncio.Future[None]]] = deque()

    async def publish(self, dispatch: Dispatch) -> None:
        if len(self._waiting) < self._capacity:
            self._put(dispatch)
            return
        put: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._publishing.append((dispatch, put))
        try:
            async with asyncio.timeout(self._publish_timeout_seconds):
                await put
        except TimeoutError as error:
            if put.cancelled():
                raise PublishFailed(f"Task {dispatch.task_id} not published: the queue is full") from error
        finally:
            if put.cancelled():
                with suppress(ValueError):  # it was removed before
                    self._publishing.remove((dispatch, put))

    async def ping(self) -> None:
        return

    async def depth(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def open_slot(self) -> "AsyncIterator[MemorySlot]":
        slot = MemorySlot(self)
        try:
            yield slot
        finally:
            slot.hand_back()  # guard: queue.hand_back

    async def take(self) -> Dispatch:
        """Wait for the first message and remove it; a cancelled call removes none."""
        if self._waiting:
            dispatch = self._waiting.popleft()
            self._admit_publishers()
            return dispatch
        received: asyncio.Future[Dispatch] = asyncio.get_running_loop().create_future()
        self._receiving.append(received)
        try:
            return await received
        except asyncio.CancelledError:
            if not received.cancelled():
                self.give_back(received.result())
            raise

    def give_back(self, dispatch: Dispatch) -> None:
        """Put a message back at the front of the queue."""
        if not self._hand_over(dispatch):
            self._waiting.appendleft(dispatch)

    def _put(self, dispatch: Dispatch) -> None:
        if not self._hand_over(dispatch):
            self._waiting.append(dispatch)

    def _hand_over(self, dispatch: Dispatch) -> bool:
        """Pass the message to a waiting `take`; return False if none waits."""
        while self._receiving:
            received = self._receiving.popleft()
            if not received.done():
                received.set_result(dispatch)
                return True
        return False

    def _admit_publishers(self) -> None:
        while self._publishing and len(self._waiting) < self._capacity:
            dispatch, put = self._publishing.popleft()
            if not put.cancelled():
                self._put(dispatch)
                put.set_result(None)


class MemorySlot:
    """A `ConsumerSlot` on a `MemoryQueue`."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self._unacknowledged: MemoryDelivery | None = None
        self._free = asyncio.Event()
        self._free.set()

    async def receive(self) -> "MemoryDelivery":
        await self._free.wait()
        self._unacknowledged = MemoryDelivery(await self._queue.take(), self)
        self._free.clear()
        return self._unacknowledged

    def settle(self, delivery: "MemoryDelivery") -> None:
        """Forget an acknowledged delivery; does nothing if it was handed back before."""
        if self._unacknowledged is delivery:
            self._unacknowledged = None
            self._free.set()

    def hand_back(self) -> None:
        """Put an unacknowledged message back at the front of the queue."""
        if self._unacknowledged is not None:
            self._queue.give_back(self._unacknowledged.dispatch)
            self._unacknowledged = None


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
