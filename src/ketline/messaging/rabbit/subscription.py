"""A subscription: a slot's channel on RabbitMQ, which consumes with a prefetch of one until it is lost.

`consumer.py` opens it, and again after each loss.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractQueue
from aiormq.abc import DeliveredMessage

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.queues import TaskQueue
from ketline.messaging import message
from ketline.messaging.rabbit.session import Session, close_quietly
from ketline.messaging.supervision import bounded

_SETTLE_SECONDS = 5.0
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RabbitDelivery:
    """A `Delivery` by RabbitMQ; acknowledging it has no effect once its subscription is lost."""

    def __init__(self, dispatch: Dispatch, incoming: DeliveredMessage, subscription: "Subscription") -> None:
        self._dispatch = dispatch
        self._incoming = incoming
        self._subscription = subscription

    @property
    def task_id(self) -> TaskId:
        return self._dispatch.task_id

    @property
    def correlation_id(self) -> CorrelationId:
        return self._dispatch.correlation_id

    @property
    def trace_context(self) -> str | None:
        return self._dispatch.trace_context

    @property
    def stale(self) -> bool:
        """Whether the subscription is lost, so that the broker delivers the message again."""
        return self._subscription.lost.is_set()

    async def acknowledge(self) -> None:
        self._subscription.in_hand = False
        tag, channel = _tag_of(self._incoming), self._incoming.channel
        # Nothing depends on when it is written: a message whose acknowledgement is lost is delivered again.
        await _settle(channel.basic_ack(tag, wait=False), task_id=str(self.task_id))


class Subscription:
    """A consumer with its own channel; `tag` is its name at the broker.

    It passes deliveries to `hand_over` instead of processing them in aio-pika's callback, which a lost connection
    cancels. It calls `set_aside` for each invalid message that it rejects to the dead-letter queue.
    """

    def __init__(
        self,
        session: Session,
        queue: TaskQueue,
        *,
        tag: str,
        hand_over: Callable[[RabbitDelivery], None],
        set_aside: Callable[[], None],
    ) -> None:
        self.lost = asyncio.Event()
        self.in_hand = False
        self._session = session
        self._task_queue = queue
        self._queue_name = session.topology.names.of(queue)
        self._tag = tag
        self._hand_over = hand_over
        self._set_aside = set_aside
        self._received = 0
        self._channel = session.connection.channel(publisher_confirms=False)
        self._queue: AbstractQueue | None = None

    async def open(self) -> None:
        """Declare the queues, open the channel and consume."""
        self._session.topology.use(self._task_queue)
        await self._session.topology.declare(self._session.connection)
        await self._channel.initialize()
        self._channel.close_callbacks.add(self._lose)
        underlay = await self._channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._lose)
        await self._channel.set_qos(prefetch_count=1)
        self._queue = await self._channel.get_queue(self._queue_name, ensure=False)
        # aio-pika's own consumer takes as long again for each message.
        await underlay.basic_consume(self._queue_name, self._on_message, consumer_tag=self._tag)

    async def until_lost(self, check_seconds: float, check_timeout_seconds: float) -> None:
        """Return when the broker cancelled the consumer, its channel closed, or it receives no messages any more."""
        while not self.lost.is_set():
            received = self._received
            with suppress(TimeoutError):
                async with asyncio.timeout(check_seconds):
                    await self.lost.wait()
            idle = received == self._received and not self.in_hand and not self.lost.is_set()
            if idle and await self._is_stalled(check_timeout_seconds):  # guard: consumer.stalled
                _log.warning("queue.consumer_stalled", queue=self._queue_name)
                return

    async def close(self) -> None:
        """Stop consuming; the broker delivers unacknowledged messages again."""
        self.lost.set()
        await close_quietly(self._channel)

    async def _is_stalled(self, timeout_seconds: float) -> bool:
        """Whether messages wait although this consumer is idle, or the broker does not know this consumer any more."""
        if self._queue is None:
            return True
        async with bounded(timeout_seconds):
            found = await self._queue.declare()
        return not found.consumer_count or bool(found.message_count)

    async def _on_message(self, incoming: DeliveredMessage) -> None:
        self._received += 1
        properties = incoming.header.properties
        try:
            dispatch = message.decode(
                incoming.body,
                correlation_id=properties.correlation_id,
                traceparent=(properties.headers or {}).get("traceparent"),
            )
        except message.MessageInvalid as error:
            _log.warning("queue.message_set_aside", reason=str(error), message_id=properties.message_id)
            self._set_aside()
            rejecting = incoming.channel.basic_reject(_tag_of(incoming), requeue=False)
            await _settle(rejecting, message_id=properties.message_id)
            return
        self.in_hand = True
        self._hand_over(RabbitDelivery(dispatch, incoming, self))

    def _lose(self, *_: object) -> None:
        self.lost.set()


def _tag_of(incoming: DeliveredMessage) -> int:
    tag = incoming.delivery_tag
    assert tag is not None  # every delivery has one
    return tag


async def _settle(settling: Awaitable[None], **context: str | None) -> None:
    """Acknowledge or reject; a failure is only logged, because the broker delivers the message again."""
    try:
        async with bounded(_SETTLE_SECONDS):
            await settling
    except Exception as error:
        _log.debug("queue.settle_failed", error=type(error).__name__, reason=str(error), **context)
