"""Brokers as tests use them: queues of their own, a look at RabbitMQ from outside, and a wire that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.commands import Queue

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.domain.ids import CorrelationId, TaskId
from ketline.ports.tasks.queue import ConsumerSlot, Delivery, TaskPublisher

WAIT_SECONDS = 20.0
"""How long a test waits for what a busy machine does late, where it is not about how soon."""
_POLL_SECONDS = 0.02


def new_dispatch(*, trace_context: str | None = None) -> Dispatch:
    task_id = TaskId(uuid4())
    return Dispatch(task_id=task_id, correlation_id=CorrelationId(f"test-{task_id}"), trace_context=trace_context)


async def eventually(condition: Callable[[], Awaitable[bool]], within_seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition on the world outside holds."""
    async with asyncio.timeout(within_seconds):
        while not await condition():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(_POLL_SECONDS)


async def connected(publisher: TaskPublisher, within_seconds: float = WAIT_SECONDS) -> None:
    """Wait until the publisher reaches its queue."""

    async def answers() -> bool:
        try:
            await publisher.ping()
        except QueueUnavailable:
            return False
        return True

    await eventually(answers, within_seconds)


async def receive(slot: ConsumerSlot, within_seconds: float = WAIT_SECONDS) -> Delivery:
    async with asyncio.timeout(within_seconds):
        return await slot.receive()


async def publish_when_possible(publisher: TaskPublisher, dispatch: Dispatch) -> None:
    """Publish as the dispatcher does: again and again until it is confirmed."""

    async def published() -> bool:
        try:
            await publisher.publish(dispatch)
        except PublishFailed:
            return False
        return True

    await eventually(published)


async def receive_message_of(slot: ConsumerSlot, dispatch: Dispatch, within_seconds: float = WAIT_SECONDS) -> None:
    """Receive and acknowledge messages until that of the dispatch.

    Earlier ones may come again: an acknowledgement has no answer, so it may be lost with the connection or the broker.
    """
    async with asyncio.timeout(within_seconds):
        while True:
            delivery = await slot.receive()
            await delivery.acknowledge()
            if delivery.task_id == dispatch.task_id:
                return


async def assert_flows(publisher: TaskPublisher, slot: ConsumerSlot) -> None:
    dispatch = new_dispatch()
    await publish_when_possible(publisher, dispatch)
    await receive_message_of(slot, dispatch)


class QueueView:
    """A queue and its dead-letter queue seen by somebody who is not Ketline."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.dead_name = f"{name}.dead"

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        connection = aio_pika.Connection(aio_pika.connection.make_url(self.url))
        try:
            await connection.connect(timeout=WAIT_SECONDS)
            async with connection.channel() as channel:
                yield channel
        finally:
            await connection.close()

    async def state(self, name: str) -> Queue.DeclareOk | None:
        """Message and consumer counts; None when there is no such queue."""
        try:
            async with self.channel() as channel:
                return (await channel.declare_queue(name, passive=True)).declaration_result
        except ChannelNotFoundEntity:
            return None

    async def wait_for_consumers(self, count: int) -> None:
        async def reached() -> bool:
            state = await self.state(self.name)
            return state is not None and state.consumer_count == count

        await eventually(reached)

    async def wait_for_messages(self, count: int, *, dead: bool = False) -> None:
        async def reached() -> bool:
            state = await self.state(self.dead_name if dead else self.name)
            return state is not None and state.message_count == count

        await eventually(reached)

    async def put(self, body: bytes, **properties: object) -> None:
        """Publish anything, as somebody else would."""
        async with self.channel() as channel:
            message = aio_pika.Message(body, **properties)  # type: ignore[arg-type]
            await channel.default_exchange.publish(message, self.name)

    async def take(self, name: str) -> aio_pika.abc.AbstractIncomingMessage:
        """Remove the first message of a queue."""
        async with self.channel() as channel:
            message = await (await channel.get_queue(name)).get(timeout=WAIT_SECONDS)
            await message.ack()
            return message

    async def delete(self) -> None:
        async with self.channel() as channel:
            await channel.queue_delete(self.name)

    async def delete_all(self) -> None:
        async with self.channel() as channel:
            await channel.queue_delete(self.name)
            await channel.queue_delete(self.dead_name)


class Wire:
    """A TCP forwarder to 127.0.0.1 that can be frozen: then it passes nothing on, as a dead network does."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The URL of RabbitMQ behind the wire."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def port(self) -> int:
        """The port at which the wire begins."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pump = asyncio.current_task()
        assert pump is not None
        self._pumps.add(pump)
        with suppress(OSError, asyncio.CancelledError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, there_writer))
                pumps.create_task(self._pump(there_reader, writer))
        writer.close()
        self._pumps.discard(pump)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    await self._open.wait()
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()
