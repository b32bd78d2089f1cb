"""A connection that waits for the next entry of a stream; each slot reads with one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ketline.messaging.redis.connection import BROKER_ERRORS, RedisAddress, RedisTiming, milliseconds
from ketline.messaging.redis.stream import GROUP, Entry, TaskStream, is_missing
from ketline.messaging.supervision import bounded

_UNBLOCK_PAUSE_SECONDS = 0.05


class Reader:
    """Reads entries for one consumer, on a connection of its own; `control` is a client with another connection."""

    def __init__(
        self,
        connection: Redis,
        client_id: int,
        *,
        control: Redis,
        stream: TaskStream,
        consumer: str,
        timing: RedisTiming,
    ) -> None:
        self._connection = connection
        self._client_id = client_id
        self._control = control
        self._stream = stream
        self._consumer = consumer
        self._timing = timing

    async def read(self) -> Entry | None:
        """Wait for the next entry; None after `block_seconds`. A cancelled call leaves no read behind on the server."""
        reading = asyncio.create_task(self._read())
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            await self._end(reading)
            raise

    async def _read(self) -> Entry | None:
        try:
            # The library declares what it returns for any protocol and option; with ours it is a list of streams.
            found: list[tuple[bytes, list[Entry]]] = await self._connection.xreadgroup(  # type: ignore[assignment]
                GROUP,
                self._consumer,
                {self._stream.name: ">"},
                count=1,
                block=milliseconds(self._timing.block_seconds),
            )
        except ResponseError as error:
            if not is_missing(error):
                raise
            await self._stream.declare()
            return None
        return found[0][1][0] if found else None

    async def _end(self, reading: "asyncio.Task[Entry | None]") -> None:
        """Let the server end the read: if the connection were closed, it could still deliver an entry to it."""
        with suppress(*BROKER_ERRORS):
            async with bounded(self._timing.close_timeout_seconds):
                # Repeated, because the server may not have begun to block when it gets the first command.
                while not reading.done():
                    await self._control.client_unblock(self._client_id)
                    await asyncio.wait([reading], timeout=_UNBLOCK_PAUSE_SECONDS)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def open_reader(
    address: RedisAddress, *, control: Redis, stream: TaskStream, consumer: str, timing: RedisTiming
) -> AsyncIterator[Reader]:
    """Connect a reader for the time of the context."""
    # The socket's timeout is longer than a read blocks, or every idle read would look like a lost connection.
    timeout_seconds = timing.block_seconds + timing.reply_timeout_seconds
    async with AsyncExitStack() as stack:
        async with bounded(timing.reply_timeout_seconds):
            client = address.client(reply_timeout_seconds=timeout_seconds, connections=1, retries=0)
            await stack.enter_async_context(client)
            connection = await stack.enter_async_context(client.client())
            client_id = await connection.client_id()
        yield Reader(connection, client_id, control=control, stream=stream, consumer=consumer, timing=timing)
