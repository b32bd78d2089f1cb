"""Reads the state of the queues on RabbitMQ, for `ketline doctor`; it makes no queue that is not there."""

from collections.abc import Collection, Sequence

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from ketline.domain.errors import QueueUnavailable
from ketline.domain.tasks.queues import TaskQueue
from ketline.messaging.queue_names import QueueNames
from ketline.messaging.rabbit.link import broker_url
from ketline.messaging.rabbit.session import BROKER_ERRORS, open_connection
from ketline.messaging.topology import arguments_of
from ketline.service.diagnosis.servers import QueueFacts

CONNECT_SECONDS = 3.0


async def examine_rabbit(
    url: str, names: QueueNames, queues: Collection[TaskQueue]
) -> tuple[str, Sequence[QueueFacts]]:
    """The server's product and version, and the facts about these queues and their dead letters.

    Raises:
        QueueUnavailable: it cannot be reached, or rejects the login.
    """
    address = broker_url(url, name="ketline doctor", heartbeat_seconds=10)
    try:
        async with open_connection(address, CONNECT_SECONDS) as connection:
            wanted = [names.of(queue) for queue in queues] + [names.dead]
            return _product(connection), [await _examine(connection, names, name) for name in wanted]
    except BROKER_ERRORS as error:
        raise QueueUnavailable(
            f"RabbitMQ at {address.host}:{address.port or 5672} does not respond ({type(error).__name__}): check the "
            "address, the user, the password and the virtual host of its URL."
        ) from error


async def _examine(connection: AbstractConnection, names: QueueNames, name: str) -> QueueFacts:
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            counted = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return QueueFacts(name=name, exists=False)
    return QueueFacts(
        name=name,
        exists=True,
        messages=counted.message_count or 0,
        consumers=counted.consumer_count or 0,
        difference=await _difference(connection, names, name),
        dead_letters=name == names.dead,
    )


async def _difference(connection: AbstractConnection, names: QueueNames, name: str) -> str | None:
    """How the arguments of a queue that exists differ; to declare it changes nothing then."""
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            await channel.declare_queue(name, durable=True, arguments=arguments_of(names, name))
    except ChannelPreconditionFailed as error:
        return str(error)
    return None


def _product(connection: AbstractConnection) -> str:
    transport = connection.transport
    properties = {} if transport is None else dict(transport.connection.server_properties)
    return " ".join(str(properties.get(name, "")) for name in ("product", "version")).strip() or "RabbitMQ"
