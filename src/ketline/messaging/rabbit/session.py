"""A session: one connection to RabbitMQ, from when it is usable until it is lost; `link.py` opens them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aio_pika import Connection
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity
from yarl import URL

from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.messaging.supervision import bounded
from ketline.messaging.topology import Topology

BROKER_ERRORS: tuple[type[Exception], ...] = (*CONNECTION_EXCEPTIONS, TimeoutError)

_CLOSE_SECONDS = 5.0
_CANCEL_GRACE_SECONDS = 1.0
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BrokerBlocked(ConnectionError):
    """The broker accepts no messages on this connection because of a memory or disk alarm."""


class Session:
    """An open connection, with its probe of the queue and the reason of its loss."""

    def __init__(self, connection: AbstractConnection, topology: Topology) -> None:
        self.connection = connection
        self.topology = topology
        self.lost = False
        self.loss_reason = "unknown"
        self.queue_missing = False
        self.wake = asyncio.Event()
        self._declaring = asyncio.Lock()
        self._probing = asyncio.Lock()
        self._probe_channel: AbstractChannel | None = None

    def lose(self, _: object, reason: BaseException | None = None) -> None:
        """Mark the session as lost, so that the link replaces it; a close callback of connections and channels."""
        if not self.lost:
            self.loss_reason = repr(reason)
        self.lost = True
        self.wake.set()

    def miss_queue(self) -> None:
        """Report that a queue is missing, so that the link declares the queues again."""
        self.queue_missing = True
        self.wake.set()

    async def use(self, queue: TaskQueue) -> None:
        """Create a queue that this link has not used before."""
        if not self.topology.uses(queue):
            async with self._declaring:
                await self.topology.declare(self.connection, {queue})
                self.topology.use(queue)

    async def probe(self, queue: TaskQueue = SIMULATIONS) -> int:
        """Count a queue's waiting messages in one round trip; if the queue is missing, have it declared again.

        Raises:
            BrokerBlocked: the broker responds but accepts no messages at present.
            BROKER_ERRORS: the connection or the call failed.
        """
        if await self._blocked():
            raise BrokerBlocked("the broker has blocked this connection: memory or disk alarm")
        async with self._probing:
            await self.use(queue)
            # aiormq closes the channel of a failed or cancelled call: the next probe then needs a new one.
            channel, self._probe_channel = self._probe_channel, None
            try:
                channel = channel or await self._open_probe_channel()
                probed = await channel.get_queue(self.topology.names.of(queue), ensure=False)
                declared = await probed.declare()
            except ChannelNotFoundEntity:
                self.miss_queue()
                raise
            self._probe_channel = channel
        return declared.message_count or 0

    async def _open_probe_channel(self) -> AbstractChannel:
        # One channel for all probes, because aiormq 7.2 leaks about 4 kB for each channel of an open connection.
        channel = self.connection.channel(publisher_confirms=False)
        await channel.initialize()
        return channel

    async def _blocked(self) -> bool:
        transport = self.connection.transport
        if transport is None:
            raise ConnectionResetError("the connection to the broker was lost")
        try:
            # ready() returns without waiting unless the broker has sent Connection.Blocked.
            async with asyncio.timeout(0):
                await transport.ready()
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def open_connection(url: URL, timeout_seconds: float) -> AsyncIterator[Connection]:
    """Open a connection, and close it in bounded time when the context ends, also after a failed attempt."""
    connection = Connection(url)
    try:
        await _connect(connection, timeout_seconds)
        yield connection
    finally:
        await close_quietly(connection)


async def _connect(connection: Connection, timeout_seconds: float) -> None:
    # If a connect is cancelled just as it completes, aiormq's connection stays open and nothing closes it. So let it
    # complete, and cancel it only when it hangs.
    connecting = asyncio.create_task(connection.connect())
    try:
        await asyncio.wait([connecting], timeout=timeout_seconds)
    except asyncio.CancelledError:
        await asyncio.wait([connecting], timeout=_CANCEL_GRACE_SECONDS)
        raise
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
    if connecting.cancelled():
        raise TimeoutError(f"no connection within {timeout_seconds} s")
    connecting.result()


async def close_quietly(resource: Connection | AbstractChannel) -> None:
    """Close a connection or channel in any state, in bounded time; errors are only logged."""
    try:
        async with bounded(_CLOSE_SECONDS):
            await resource.close()
    except Exception as error:
        _log.debug("broker.close_failed", error=type(error).__name__, reason=str(error))
