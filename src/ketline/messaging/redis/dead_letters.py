"""The dead-letter stream on Redis: reads its messages, and puts valid ones back on their streams."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from ketline.domain.attempts.dead_letters import DeadLetter, DeadLetters
from ketline.domain.errors import QueueUnavailable
from ketline.messaging import message
from ketline.messaging.queue_names import QueueNames
from ketline.messaging.redis.connection import RedisAddress, reason
from ketline.messaging.redis.stream import Entry, TaskStreams, decode, origin_of
from ketline.messaging.supervision import bounded

TIMEOUT_SECONDS = 5.0


class RedisDeadLetterBox:
    """The `DeadLetterBox` on Redis, on the connections of a publisher."""

    def __init__(self, streams: TaskStreams, names: QueueNames, address: RedisAddress) -> None:
        self._streams = streams
        self._names = names
        self._stream = streams.named(names.base)
        self._address = address

    async def look(self, most: int) -> DeadLetters:
        async with self._calls():
            oldest = [_letter(entry) for entry in await self._stream.oldest_dead(most)] if most else []
            return DeadLetters(count=max(await self._stream.dead_count(), len(oldest)), oldest=oldest)

    async def requeue(self, most: int) -> int:
        moved = 0
        async with self._calls():
            for entry in await self._stream.oldest_dead(most):
                if _letter(entry).task_id is not None:
                    origin = self._streams.named(self._names.origin(origin_of(entry[1])))
                    moved += await origin.requeue(entry[0])
        return moved

    @asynccontextmanager
    async def _calls(self) -> AsyncIterator[None]:
        try:
            async with bounded(TIMEOUT_SECONDS):
                yield
        except Exception as error:
            raise QueueUnavailable(f"The broker at {self._address} failed: {reason(error)}") from error


def _letter(entry: Entry) -> DeadLetter:
    entry_id, fields = entry
    reason = fields.get(b"reason", b"unknown").decode(errors="replace")[:100]
    # Redis begins an id with the milliseconds at which the entry was added.
    at = datetime.fromtimestamp(int(entry_id.partition(b"-")[0]) / 1000, UTC)
    try:
        return DeadLetter(reason=reason, at=at, task_id=decode(fields).task_id)
    except message.MessageInvalid as error:
        return DeadLetter(reason=reason, at=at, problem=str(error))
