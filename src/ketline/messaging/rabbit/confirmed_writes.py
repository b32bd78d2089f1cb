"""Publishes messages with publisher confirms, those of one moment in one write; `publisher` uses it on its channel."""

import asyncio
from dataclasses import dataclass
from functools import cache

import pamqp.frame
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader


@dataclass(frozen=True, slots=True)
class _Message:
    """A message in frames, its id, by which aiormq finds it if it is returned, and the future of its confirmation."""

    frames: bytes
    message_id: str
    confirmed: asyncio.Future[object]


class ConfirmedWrites:
    """Publishes on a channel that has publisher confirms, to the default exchange, with `mandatory`.

    Calls that arrive in one turn of the event loop share a write: `Channel.basic_publish` wakes the connection's writer
    for each message, which takes twice the processor time here and makes the broker read each by itself. Nothing else
    may publish on the channel, because its messages are numbered here.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: list[_Message] = []
        self._is_writing = False

    async def publish(self, body: bytes, queue_name: str, properties: Basic.Properties) -> None:
        """Return once the broker has confirmed the message; `properties` have a message id of its own.

        Raises:
            ChannelInvalidStateError: the channel is closed.
            DeliveryError: the broker rejected it.
            PublishError: there is no such queue.
        """
        if self._channel.is_closed:
            raise ChannelInvalidStateError(f"{self._channel!r} closed")
        message_id = properties.message_id
        assert message_id is not None
        message = _Message(self._frames(body, queue_name, properties), message_id, self._channel.create_future())
        self._waiting.append(message)
        if not self._is_writing:
            self._is_writing = True
            self._channel.create_task(self._write())
        try:
            await message.confirmed
        finally:
            self._channel.message_id_delivery_tag.pop(message_id, None)

    def _frames(self, body: bytes, queue_name: str, properties: Basic.Properties) -> bytes:
        number = self._channel.number
        header = ContentHeader(properties=properties, body_size=len(body))
        return (
            _publish_frame(queue_name, number)
            + pamqp.frame.marshal(header, number)
            + pamqp.frame.marshal(ContentBody(body), number)
        )

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._channel.write_queue.put(self._take_waiting())
        finally:
            self._is_writing = False

    def _take_waiting(self) -> ChannelFrame:
        # Nobody waits any more for a message whose call has timed out.
        messages = [message for message in self._waiting if not message.confirmed.done()]
        self._waiting.clear()
        for message in messages:
            self._channel.delivery_tag += 1
            self._channel.confirmations[self._channel.delivery_tag] = message.confirmed
            self._channel.message_id_delivery_tag[message.message_id] = self._channel.delivery_tag
        return ChannelFrame(payload=b"".join(message.frames for message in messages), should_close=False)


@cache
def _publish_frame(queue_name: str, channel_number: int) -> bytes:
    # guard: publish.mandatory
    return pamqp.frame.marshal(Basic.Publish(exchange="", routing_key=queue_name, mandatory=True), channel_number)
