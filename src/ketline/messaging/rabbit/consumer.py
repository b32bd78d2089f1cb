"""The consumer on RabbitMQ: any number of slots on one connection; `runtime/queue.py` opens it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import structlog

from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.messaging.queue_names import DEFAULT_QUEUE_NAME, QueueNames
from ketline.messaging.rabbit.link import Link, LinkTiming
from ketline.messaging.rabbit.session import BROKER_ERRORS
from ketline.messaging.rabbit.subscription import RabbitDelivery, Subscription
from ketline.messaging.supervision import bounded, end_task, supervise
from ketline.messaging.topology import Topology

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RabbitConsumer:
    """The `TaskConsumer` on RabbitMQ; it has its own connection. `name` identifies this process to operators there."""

    def __init__(
        self,
        url: str,
        *,
        queue_name: str = DEFAULT_QUEUE_NAME,
        name: str = "ketline",
        timing: LinkTiming | None = None,
    ) -> None:
        self._name = name
        self._timing = timing or LinkTiming()
        self._link = Link(url, name="ketline-consume", topology=Topology(QueueNames(queue_name)), timing=self._timing)
        self._set_aside_count = 0

    @property
    def set_aside_count(self) -> int:
        """How many invalid messages this consumer has rejected to the dead-letter queue."""
        return self._set_aside_count

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._link.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def open_slot(self, queue: TaskQueue = SIMULATIONS, *, name: str = "slot") -> "AsyncIterator[RabbitSlot]":
        """Open a slot that consumes a queue while the context is open; does not wait for the broker."""
        tag = f"{self._name} {name}"
        slot = RabbitSlot(self._link, queue, tag=tag, timing=self._timing, set_aside=self._count_set_aside)
        supervisor = asyncio.create_task(slot.consume())
        try:
            yield slot
        finally:
            await end_task(supervisor)

    def _count_set_aside(self) -> None:
        self._set_aside_count += 1


class RabbitSlot:
    """A `ConsumerSlot` on RabbitMQ, which subscribes again whenever its subscription is lost."""

    def __init__(
        self, link: Link, queue: TaskQueue, *, tag: str, timing: LinkTiming, set_aside: Callable[[], None]
    ) -> None:
        self._link = link
        self._queue = queue
        self._tag = tag
        self._timing = timing
        self._set_aside = set_aside
        self._backoff = timing.backoff()
        self._deliveries: asyncio.Queue[RabbitDelivery] = asyncio.Queue()

    async def receive(self) -> RabbitDelivery:
        while True:
            delivery = await self._deliveries.get()
            if not delivery.stale:
                return delivery

    async def consume(self) -> None:
        """Keep the slot subscribed until cancelled."""
        await supervise(
            self._subscribe, backoff=self._backoff, expected=BROKER_ERRORS, log=_log, event="queue.consumer_failed"
        )

    async def _subscribe(self) -> None:
        session = await self._link.session()
        subscription = Subscription(
            session, self._queue, tag=self._tag, hand_over=self._deliveries.put_nowait, set_aside=self._set_aside
        )
        try:
            async with bounded(self._timing.connect_timeout_seconds):
                await subscription.open()
            self._backoff.reset()
            _log.debug("queue.consuming", queue=session.topology.names.of(self._queue))
            await subscription.until_lost(self._timing.idle_check_seconds, self._timing.probe_timeout_seconds)
            # The link reports a lost connection; report here only the loss of this consumer.
            if not session.lost:
                _log.warning("queue.consumer_lost", queue=session.topology.names.of(self._queue))
        finally:
            await subscription.close()
