"""The queues on RabbitMQ, declared with arguments that versions 3.10 and 4.x accept; each link declares them."""

from collections.abc import Collection
from dataclasses import dataclass, field

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed
from pamqp.common import FieldTable

from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.messaging.queue_names import QueueNames
from ketline.messaging.supervision import real_cancellation_only

_NEVER_REACHED = 1_000_000_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Topology:
    """The queues of tasks that a connection uses, and the dead-letter queue that they share.

    A queue that exists with other arguments, from an older deployment or an operator, is used as it is.
    """

    names: QueueNames
    _used: set[TaskQueue] = field(default_factory=lambda: {SIMULATIONS}, init=False)
    _foreign: set[str] = field(default_factory=set, init=False)

    def uses(self, queue: TaskQueue) -> bool:
        """Whether `declare` creates this queue."""
        return queue in self._used

    def use(self, queue: TaskQueue) -> None:
        """Have `declare` create this queue too from now on."""
        self._used.add(queue)

    async def declare(self, connection: AbstractConnection, queues: Collection[TaskQueue] | None = None) -> None:
        """Create those of these queues, or of all used ones, that do not exist; safe to repeat, and concurrently."""
        wanted = tuple(self._used if queues is None else queues)
        for name in (self.names.dead, *map(self.names.of, wanted)):
            await self._declare(connection, name, arguments_of(self.names, name))

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


def arguments_of(names: QueueNames, name: str) -> FieldTable:
    """The arguments with which a queue of tasks, or the one of dead letters, is declared."""
    if name == names.dead:
        # By default RabbitMQ 4 drops a message after 20 deliveries, and each look at a dead letter is one.
        return {"x-queue-type": "quorum", "x-delivery-limit": _NEVER_REACHED}
    return {"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": names.dead}


def _channel(connection: AbstractConnection) -> AbstractChannel:
    return connection.channel(publisher_confirms=False)
