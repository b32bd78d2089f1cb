"""The consumer on Redis: any number of slots, each with a connection that waits for its next message.

`runtime/queue.py` opens it.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from uuid import uuid4

from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.messaging.queue_names import DEFAULT_QUEUE_NAME, QueueNames
from ketline.messaging.redis.connection import RedisTiming
from ketline.messaging.redis.link import RedisLink
from ketline.messaging.redis.slot import RedisSlot
from ketline.messaging.supervision import end_task


class RedisConsumer:
    """The `TaskConsumer` on Redis; `name` identifies this process to operators in the consumer group."""

    def __init__(
        self,
        url: str,
        *,
        queue_name: str = DEFAULT_QUEUE_NAME,
        name: str | None = None,
        timing: RedisTiming | None = None,
    ) -> None:
        self._name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._names = QueueNames(queue_name)
        self._link = RedisLink(url, self._names, timing or RedisTiming())

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._link.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def open_slot(self, queue: TaskQueue = SIMULATIONS, *, name: str = "slot") -> AsyncIterator[RedisSlot]:
        """Open a slot that consumes a queue while the context is open; does not wait for the broker."""
        # Unique, so that a slot never owns the messages of an earlier one.
        consumer = f"{self._name} {name} {uuid4().hex[:8]}"
        slot = RedisSlot(self._link, self._link.stream(self._names.of(queue)), consumer=consumer)
        supervisor = asyncio.create_task(slot.consume())
        try:
            yield slot
        finally:
            try:
                await end_task(supervisor)
            finally:
                await slot.hand_back()  # guard: redis.hand_back
