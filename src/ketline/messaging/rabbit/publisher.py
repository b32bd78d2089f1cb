"""The publisher on RabbitMQ: confirmed, mandatory and persistent messages, each published in bounded time.

`runtime/queue.py` opens it for the dispatcher.
"""

from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import uuid4

from aio_pika import DeliveryMode
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.channel import Channel
from pamqp.commands import Basic

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.messaging import message
from ketline.messaging.queue_names import DEFAULT_QUEUE_NAME, QueueNames
from ketline.messaging.rabbit.confirmed_writes import ConfirmedWrites
from ketline.messaging.rabbit.dead_letters import RabbitDeadLetterBox
from ketline.messaging.rabbit.link import Link, LinkTiming
from ketline.messaging.rabbit.session import Session
from ketline.messaging.supervision import bounded
from ketline.messaging.topology import Topology


class RabbitPublisher:
    """The `TaskPublisher` on RabbitMQ; it has its own connection, and publishes concurrently.

    The connection is not the consumer's, so that acknowledgements do not wait behind a publish that the broker blocks.
    """

    def __init__(
        self,
        url: str,
        *,
        queue_name: str = DEFAULT_QUEUE_NAME,
        publish_timeout_seconds: float = 5.0,
        ping_timeout_seconds: float = 0.8,
        timing: LinkTiming | None = None,
    ) -> None:
        self._topology = Topology(QueueNames(queue_name))
        self._publish_timeout_seconds = publish_timeout_seconds
        self._ping_timeout_seconds = ping_timeout_seconds
        self._channel: AbstractChannel | None = None
        self._writes: ConfirmedWrites | None = None
        self._link = Link(
            url,
            name="ketline-publish",
            topology=self._topology,
            timing=timing or LinkTiming(),
            prepare=self._open_channel,
        )
        self.dead_letters = RabbitDeadLetterBox(self._link, self._topology)

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._link.__aexit__(kind, error, traceback)

    async def publish(self, dispatch: Dispatch) -> None:
        session, channel, writes = self._link.current, self._channel, self._writes
        if session is None or channel is None or channel.is_closed or writes is None:
            raise PublishFailed(f"Task {dispatch.task_id} not published: no connection to {self._link.address}")
        try:
            async with bounded(self._publish_timeout_seconds):
                await session.use(dispatch.queue)
                name = self._topology.names.of(dispatch.queue)
                await writes.publish(message.encode(dispatch), name, _properties(dispatch))
        except Exception as error:
            if isinstance(error, PublishError):
                session.miss_queue()
            raise PublishFailed(
                f"Task {dispatch.task_id} not published: {self._reason(error, dispatch.queue)}"
            ) from error

    async def ping(self) -> None:
        await self.depth()

    async def depth(self, queue: TaskQueue = SIMULATIONS) -> int:
        session = self._link.current
        if session is None or session.lost:
            raise self._link.no_connection()
        try:
            async with bounded(self._ping_timeout_seconds):
                depth = await session.probe(queue)
        except Exception as error:
            raise QueueUnavailable(f"The broker at {self._link.address} did not respond: {error!r}") from error
        return depth

    async def _open_channel(self, session: Session) -> None:
        # guard: publish.confirmed
        channel = session.connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.initialize()
        channel.close_callbacks.add(session.lose)
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, Channel)  # the only implementation
        self._channel, self._writes = channel, ConfirmedWrites(underlay)

    def _reason(self, error: Exception, queue: TaskQueue) -> str:
        match error:
            case PublishError():
                return f"no queue {self._topology.names.of(queue)}; it is being declared again"
            case DeliveryError():
                return "the broker rejected it"
            case TimeoutError():
                return f"no confirmation within {self._publish_timeout_seconds} s"
            case _:
                return f"{type(error).__name__}: {error}"


def _properties(dispatch: Dispatch) -> Basic.Properties:
    return Basic.Properties(
        content_type=message.CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        # aiormq identifies returned messages by this id alone, so each publish needs a new one.
        message_id=str(uuid4()),
        correlation_id=message.usable_property(dispatch.correlation_id),
        timestamp=datetime.now(UTC),
        headers=None if dispatch.trace_context is None else {"traceparent": dispatch.trace_context},
    )
