"""The dead-letter queue on RabbitMQ: reads its messages, and puts valid ones back on the queues they came from."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from ketline.domain.attempts.dead_letters import DeadLetter, DeadLetters
from ketline.domain.errors import QueueUnavailable
from ketline.messaging import message
from ketline.messaging.rabbit.link import Link
from ketline.messaging.rabbit.session import close_quietly
from ketline.messaging.supervision import bounded
from ketline.messaging.topology import Topology

TIMEOUT_SECONDS = 5.0


class RabbitDeadLetterBox:
    """The `DeadLetterBox` on RabbitMQ, on the connection of a publisher.

    Each call opens its own channel. When it closes, unacknowledged messages return to the dead-letter queue. Each
    return counts as a delivery, so that queue is declared with a delivery limit that is never reached.
    """

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._topology = topology

    async def look(self, most: int) -> DeadLetters:
        async with self._channel() as channel:
            queue = await channel.declare_queue(self._topology.names.dead, passive=True)
            count = queue.declaration_result.message_count or 0
            oldest: list[DeadLetter] = []
            while len(oldest) < min(most, count) and (found := await queue.get(fail=False)) is not None:
                oldest.append(_letter(found))
            return DeadLetters(count=max(count, len(oldest)), oldest=oldest)

    async def requeue(self, most: int) -> int:
        moved = 0
        async with self._channel() as channel:
            queue = await channel.declare_queue(self._topology.names.dead, passive=True)
            for _ in range(min(most, queue.declaration_result.message_count or 0)):
                found = await queue.get(fail=False)
                if found is None:
                    break
                if _letter(found).task_id is None:
                    continue
                # Publish the copy first: a duplicate does no harm, but a lost message would delay its task.
                origin = self._topology.names.origin(str(_last_death(found).get("queue")))
                await channel.default_exchange.publish(_copy(found), origin, mandatory=True)
                await found.ack()
                moved += 1
        return moved

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        session = self._link.current
        if session is None or session.lost:
            raise self._link.no_connection()
        channel = session.connection.channel(publisher_confirms=True, on_return_raises=True)
        try:
            async with bounded(TIMEOUT_SECONDS):
                await channel.initialize()
                yield channel
        except Exception as error:
            raise QueueUnavailable(f"The broker at {self._link.address} failed: {error!r}") from error
        finally:
            await close_quietly(channel)


def _letter(found: AbstractIncomingMessage) -> DeadLetter:
    reason, at = _death(found)
    try:
        dispatch = message.decode(found.body)
    except message.MessageInvalid as error:
        return DeadLetter(reason=reason, at=at, problem=str(error))
    return DeadLetter(reason=reason, at=at, task_id=dispatch.task_id)


def _death(found: AbstractIncomingMessage) -> tuple[str, datetime | None]:
    """Why and when the message was last dead-lettered."""
    latest = _last_death(found)
    at = latest.get("time")
    moment = at.replace(tzinfo=UTC) if isinstance(at, datetime) and at.tzinfo is None else at
    return str(latest.get("reason", "unknown"))[:100], moment if isinstance(moment, datetime) else None


def _last_death(found: AbstractIncomingMessage) -> Mapping[str, Any]:
    """The broker's header about the last time that it dead-lettered the message; its content is not trusted."""
    deaths: Any = found.headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    return latest if isinstance(latest, dict) else {}


def _copy(found: AbstractIncomingMessage) -> Message:
    """A copy of the message without the headers of dead-lettering."""
    headers = {name: value for name, value in found.headers.items() if name == "traceparent"}
    return Message(
        found.body,
        content_type=message.CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=found.message_id,
        correlation_id=found.correlation_id,
        timestamp=datetime.now(UTC),
        headers=headers,
    )
