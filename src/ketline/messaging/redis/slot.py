"""A slot on Redis: a consumer of the group that holds one message at a time; `RedisConsumer` opens it."""

import asyncio
from contextlib import suppress

import structlog

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId, TaskId
from ketline.messaging import message
from ketline.messaging.redis.connection import BROKER_ERRORS
from ketline.messaging.redis.link import RedisLink
from ketline.messaging.redis.stream import Fields, TaskStream, decode
from ketline.messaging.supervision import bounded, supervise

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RedisDelivery:
    """A `Delivery` by Redis; a failed acknowledgement is only logged, because the message is delivered again."""

    def __init__(self, dispatch: Dispatch, entry_id: bytes, slot: "RedisSlot") -> None:
        self.entry_id = entry_id
        self._dispatch = dispatch
        self._slot = slot

    @property
    def task_id(self) -> TaskId:
        return self._dispatch.task_id

    @property
    def correlation_id(self) -> CorrelationId:
        return self._dispatch.correlation_id

    @property
    def trace_context(self) -> str | None:
        return self._dispatch.trace_context

    async def acknowledge(self) -> None:
        await self._slot.settle(self)


class RedisSlot:
    """A `ConsumerSlot` on Redis, which connects again whenever its connection is lost.

    It keeps the message that it holds across a loss of the connection, and renews it, so that no other slot gets it.
    """

    def __init__(self, link: RedisLink, stream: TaskStream, *, consumer: str) -> None:
        self._link = link
        self._stream = stream
        self._consumer = consumer
        self._timing = link.timing
        self._backoff = link.timing.backoff()
        self._deliveries: asyncio.Queue[RedisDelivery] = asyncio.Queue()
        self._held: RedisDelivery | None = None
        self._settled = asyncio.Event()

    async def receive(self) -> RedisDelivery:
        return await self._deliveries.get()

    async def settle(self, delivery: RedisDelivery) -> None:
        """Remove an acknowledged message from the queue, and read the next one."""
        try:
            async with bounded(self._timing.reply_timeout_seconds):
                await self._stream.remove(delivery.entry_id)
        except BROKER_ERRORS as error:
            _log.debug(
                "queue.settle_failed", error=type(error).__name__, reason=str(error), task_id=str(delivery.task_id)
            )
        finally:
            if self._held is delivery:
                self._held = None
                self._settled.set()

    async def hand_back(self) -> None:
        """Return what the slot holds to the queue; if that fails, it returns once it counts as abandoned."""
        try:
            async with bounded(self._timing.close_timeout_seconds):
                await self._stream.return_held(self._consumer)
        except BROKER_ERRORS as error:
            _log.debug("queue.hand_back_failed", error=type(error).__name__, reason=str(error))

    async def consume(self) -> None:
        """Keep reading until cancelled."""
        await supervise(
            self._read_entries, backoff=self._backoff, expected=BROKER_ERRORS, log=_log, event="queue.consumer_failed"
        )

    async def _read_entries(self) -> None:
        await self._link.ready()
        try:
            await self._renew_or_return()
            async with self._link.open_reader(self._stream, self._consumer) as reader:
                self._backoff.reset()
                _log.debug("queue.consuming", queue=self._stream.name)
                while True:
                    await self._until_settled()
                    if (entry := await reader.read()) is not None:
                        await self._hand_over(*entry)
        except BROKER_ERRORS:
            self._link.check()
            raise

    async def _renew_or_return(self) -> None:
        """After a loss: keep the current message, or return one whose delivery or acknowledgement was lost."""
        if self._held is not None:
            await self._renew(self._held)
        else:
            async with bounded(self._timing.reply_timeout_seconds):
                await self._stream.return_held(self._consumer)  # guard: redis.reconnect

    async def _until_settled(self) -> None:
        while self._held is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.renew_seconds):
                    await self._settled.wait()
            if self._held is not None:
                await self._renew(self._held)  # guard: redis.renew

    async def _renew(self, held: RedisDelivery) -> None:
        async with bounded(self._timing.reply_timeout_seconds):
            await self._stream.renew(self._consumer, held.entry_id)

    async def _hand_over(self, entry_id: bytes, fields: Fields) -> None:
        try:
            dispatch = decode(fields)
        except message.MessageInvalid as error:
            _log.warning("queue.message_set_aside", reason=str(error), message_id=entry_id.decode())
            async with bounded(self._timing.reply_timeout_seconds):
                await self._stream.set_aside(entry_id, "rejected")
            return
        self._settled.clear()
        self._held = RedisDelivery(dispatch, entry_id, self)
        self._deliveries.put_nowait(self._held)
