"""The queues on RabbitMQ, declared with arguments that versions 3.10 and 4.x accept."""

from dataclasses import dataclass, field

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed
from pamqp.common import FieldTable

from ketline.messaging.supervision import real_cancellation_only

DEFAULT_QUEUE_NAME = "quantum_tasks"
_NEVER_REACHED = 1_000_000_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Topology:
    """The task queue and the dead-letter queue.

    A queue that exists with other arguments, from an older deployment or an operator, is used as it is.
    """

    queue_name: str = DEFAULT_QUEUE_NAME
    _foreign: set[str] = field(default_factory=set, init=False)

    @property
    def dead_queue_name(self) -> str:
        return f"{self.queue_name}.dead"

    async def declare(self, connection: AbstractConnection) -> None:
        """Create both queues if they do not exist; safe to repeat, and to run concurrently."""
        # By default RabbitMQ 4 drops a message after 20 deliveries, and each look at a dead letter is one.
        dead: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": _NEVER_REACHED}
        await self._declare(connection, self.dead_queue_name, dead)
        await self._declare(
            connection,
            self.queue_name,
            {
                "x-queue-type": "quorum",
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": self.dead_queue_name,
            },
        )

    async def _declare(self, connection: AbstractConnection, name: str, arguments: FieldTable) -> None:
        try:
            # A rejected declaration closes its channel, so each declaration has its own.
            with real_cancellation_only():
                async with _channel(connection) as channel:
                    await channel.declare_queue(name, durable=True, arguments=arguments)
        except ChannelPreconditionFailed as error:
            self._warn_once(name, str(error))
            async with _channel(connection) as channel:
                await channel.declare_queue(name, passive=True)

    def _warn_once(self, name: str, reason: str) -> None:
        if name not in self._foreign:
            self._foreign.add(name)
            _log.warning("queue.arguments_differ", queue=name, reason=reason)


def _channel(connection: AbstractConnection) -> AbstractChannel:
    return connection.channel(publisher_confirms=False)
