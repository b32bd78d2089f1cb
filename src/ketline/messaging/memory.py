"""The queues of the embedded service: in memory, bounded, first in first out."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import QueueFull
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue

# About 30 MB of messages for each queue. Tasks beyond that wait in the database.
CAPACITY = 100_000


class MemoryQueue:
    """Both `TaskPublisher` and `TaskConsumer`, for the embedded mode: holds one queue for each `TaskQueue`.

    Each holds up to `capacity` waiting messages, briefly more when slots hand messages back. After a restart the
    dispatcher fills them from the database.
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._queues: defaultdict[TaskQueue, _Messages] = defaultdict(_Messages)

    async def publish(self, dispatch: Dispatch) -> None:
        messages = self._queues[dispatch.queue]
        if messages.depth >= self._capacity:
            raise QueueFull(f"Task {dispatch.task_id} not published: the queue {dispatch.queue.name} is full")
        messages.put(dispatch)

    async def ping(self) -> None:
        return

    async def depth(self, queue: TaskQueue = SIMULATIONS) -> int:
        return self._queues[queue].depth

    @asynccontextmanager
    async def open_slot(self, queue: TaskQueue = SIMULATIONS, *, name: str = "slot") -> "AsyncIterator[MemorySlot]":
        slot = MemorySlot(self._queues[queue])
        try:
            yield slot
        finally:
            slot.hand_back()  # guard: queue.hand_back


class _Messages:
    """The messages of one queue. Calls that wait for one are served in their order, and only the first is woken."""

    def __init__(self) -> None:
        self._waiting: deque[Dispatch] = deque()
        self._receiving: deque[asyncio.Future[Dispatch]] = deque()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    async def take(self) -> Dispatch:
        """Wait for the first message and remove it; a cancelled call removes none."""
        if self._waiting:
            return self._waiting.popleft()
        received: asyncio.Future[Dispatch] = asyncio.get_running_loop().create_future()
        self._receiving.append(received)
        try:
            return await received
        except asyncio.CancelledError:
            if not received.cancelled():
                self.give_back(received.result())
            raise

    def put(self, dispatch: Dispatch) -> None:
        """Put a message at the end of the queue."""
        if not self._hand_over(dispatch):
            self._waiting.append(dispatch)

    def give_back(self, dispatch: Dispatch) -> None:
        """Put a message back at the front of the queue."""
        if not self._hand_over(dispatch):
            self._waiting.appendleft(dispatch)

    def _hand_over(self, dispatch: Dispatch) -> bool:
        """Pass the message to a waiting `take`; return False if none waits."""
        while self._receiving:
            received = self._receiving.popleft()
            if not received.done():
                received.set_result(dispatch)
                return True
        return False


class MemorySlot:
    """A `ConsumerSlot` on one queue of a `MemoryQueue`."""

    def __init__(self, messages: _Messages) -> None:
        self._messages = messages
        self._unacknowledged: MemoryDelivery | None = None
        self._free = asyncio.Event()
        self._free.set()

    async def receive(self) -> "MemoryDelivery":
        await self._free.wait()
        self._unacknowledged = MemoryDelivery(await self._messages.take(), self)
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
            self._messages.give_back(self._unacknowledged.dispatch)
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

    @property
    def trace_context(self) -> str | None:
        return self.dispatch.trace_context

    async def acknowledge(self) -> None:
        self._slot.settle(self)
