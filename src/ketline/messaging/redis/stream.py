"""The streams of the queues on Redis: publisher, consumer and dead-letter box send every command by them."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ketline.domain.attempts.claim import Dispatch
from ketline.messaging import message
from ketline.messaging.redis import scripts
from ketline.messaging.redis.connection import milliseconds

GROUP = "workers"
# As RabbitMQ 4 limits it by default.
MAX_DELIVERIES = 20

Fields = Mapping[bytes, bytes]
Entry = tuple[bytes, Fields]


class TaskStream:
    """The stream of one queue with its consumer group, and the dead-letter stream of all queues.

    An entry has the fields `body`, the message, and, once it has returned to the stream, `deliveries`, how often it was
    delivered before. Acknowledging an entry deletes it, so each entry of the stream is waiting or held.
    """

    def __init__(self, client: Redis, name: str, dead_name: str) -> None:
        self._client = client
        self.name = name
        self.dead_name = dead_name
        self._keys = (name, self.dead_name)
        self._return_held = client.register_script(scripts.RETURN_HELD)
        self._return_abandoned = client.register_script(scripts.RETURN_ABANDONED)
        self._set_aside = client.register_script(scripts.SET_ASIDE)
        self._requeue = client.register_script(scripts.REQUEUE)
        self._depth = client.register_script(scripts.DEPTH)

    async def declare(self) -> None:
        """Create the stream and its group if they do not exist; fails while the server accepts no writes."""
        try:
            # From the first entry on, so that what was published before is delivered.
            await self._client.xgroup_create(self.name, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def add(self, body: bytes) -> None:
        """Add a message at the end."""
        await self._client.xadd(self.name, {"body": body})

    async def depth(self) -> int:
        """Count the messages that no consumer holds."""
        return int(await self._depth(keys=self._keys, args=[GROUP]))

    async def renew(self, consumer: str, entry_id: bytes) -> None:
        """Show that the consumer is still at work on an entry; does nothing if it does not hold it any more."""
        try:
            await self._client.xclaim(self.name, GROUP, consumer, 0, [entry_id], idle=0, justid=True)
        except ResponseError as error:
            if not is_missing(error):
                raise

    async def remove(self, entry_id: bytes) -> None:
        """Acknowledge and delete an entry; does nothing if it is gone."""
        async with self._client.pipeline(transaction=True) as commands:
            commands.xack(self.name, GROUP, entry_id)
            commands.xdel(self.name, entry_id)
            await commands.execute()

    async def return_held(self, consumer: str) -> int:
        """Return the entries of a consumer to the end of the stream, and count them; remove the consumer."""
        return await self._unless_gone(self._return_held(keys=self._keys, args=[GROUP, consumer, MAX_DELIVERIES]))

    async def return_abandoned(self, silent_seconds: float) -> int:
        """Return the entries of consumers that were silent for this time to the stream, and count them.

        Silent consumers without entries are removed.
        """
        silent = milliseconds(silent_seconds)
        return await self._unless_gone(self._return_abandoned(keys=self._keys, args=[GROUP, silent, MAX_DELIVERIES]))

    async def set_aside(self, entry_id: bytes, reason: str) -> None:
        """Move a delivered entry to the dead-letter stream."""
        await self._set_aside(keys=self._keys, args=[GROUP, entry_id, reason])

    async def dead_count(self) -> int:
        return int(await self._client.xlen(self.dead_name))

    async def oldest_dead(self, most: int) -> Sequence[Entry]:
        """The oldest dead letters, `most` of them at most."""
        if most <= 0:
            return []
        entries: list[Entry] = await self._client.xrange(self.dead_name, count=most)  # type: ignore[assignment]
        return entries

    async def requeue(self, entry_id: bytes) -> bool:
        """Move a dead letter to the end of this queue; False if it is gone."""
        return bool(await self._requeue(keys=self._keys, args=[GROUP, entry_id]))

    async def _unless_gone(self, script: Any) -> int:
        try:
            return int(await script)
        except ResponseError as error:
            if is_missing(error):
                await self.declare()
                return 0
            raise


class TaskStreams:
    """The streams of all queues on one client, by name; each stream is made when it is first requested."""

    def __init__(self, client: Redis, dead_name: str) -> None:
        self._client = client
        self._dead_name = dead_name
        self._streams: dict[str, TaskStream] = {}

    def named(self, name: str) -> TaskStream:
        """The stream with this name."""
        if name not in self._streams:
            self._streams[name] = TaskStream(self._client, name, self._dead_name)
        return self._streams[name]

    def made(self) -> Sequence[TaskStream]:
        """The streams that were requested so far."""
        return list(self._streams.values())


def decode(fields: Fields) -> Dispatch:
    """Decode the message of an entry.

    Raises:
        MessageInvalid: it is not one of Ketline's.
    """
    body = fields.get(b"body")
    if body is None:
        raise message.MessageInvalid("the entry has no field body")
    return message.decode(body)


def origin_of(fields: Fields) -> str:
    """The name of the stream that a dead letter came from, as its field says; the caller has to check it."""
    return fields.get(b"queue", b"").decode(errors="replace")


def is_missing(error: ResponseError) -> bool:
    """Whether the stream or its group does not exist: deleted, flushed, evicted, or lost in a restart."""
    text = str(error)
    return "NOGROUP" in text or "no such key" in text or "UNBLOCKED" in text
