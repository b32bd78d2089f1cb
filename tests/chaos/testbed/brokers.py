"""The broker under test: what a run starts, harms and looks at, the same for RabbitMQ and for Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Protocol
from uuid import uuid4

import aio_pika
from redis.asyncio import Redis

from tests.servers import RabbitServer, RedisServer

QUEUE = "chaos_tasks"
# RabbitMQ counts the messages of a quorum queue only every few seconds; each look takes about one more.
COUNTED_SECONDS = 20.0
_CALL_SECONDS = 10.0
# Two sweeps after the service takes a consumer for dead, by the leases of a run.
_SILENT_MILLISECONDS = 10_000
_OURS = -5
_LIST_QUEUES = ("list_queues", "name", "messages_ready", "messages_unacknowledged", "messages", "--no-table-headers")


class Broker(Protocol):
    """A broker with the queue `QUEUE`."""

    @property
    def url(self) -> str: ...

    @property
    def running(self) -> bool: ...

    async def start(self) -> None: ...

    async def kill(self) -> None: ...

    async def close_connections(self) -> None:
        """Close every connection."""
        ...

    def without_memory(self) -> AbstractAsyncContextManager[None]:
        """Have it accept no messages for the time of the context, as when memory is short."""
        ...

    async def purge(self) -> int:
        """Delete the messages that wait, and return their number."""
        ...

    async def publish(self, task_ids: Sequence[str]) -> None:
        """Publish a message for each."""
        ...

    async def left_over(self) -> Sequence[str]:
        """What is on the queue, a line each; nothing when it is empty."""
        ...


def body_of(task_id: str) -> bytes:
    """A message as a dispatcher publishes it."""
    return json.dumps({"task_id": task_id, "correlation_id": "repeated"}).encode()


class RabbitBroker(RabbitServer):
    """RabbitMQ as a `Broker`."""

    async def close_connections(self) -> None:
        await self.ctl("close_all_connections", "chaos")

    @asynccontextmanager
    async def without_memory(self) -> AsyncIterator[None]:
        await self.ctl("set_vm_memory_high_watermark", "0.00001")
        try:
            yield
        finally:
            await self.ctl("set_vm_memory_high_watermark", "0.6")

    async def purge(self) -> int:
        async with asyncio.timeout(_CALL_SECONDS):
            connection = await aio_pika.connect(self.url)
            async with connection, connection.channel() as channel:
                queue = await channel.get_queue(QUEUE, ensure=False)
                return (await queue.purge()).message_count or 0

    async def publish(self, task_ids: Sequence[str]) -> None:
        async with asyncio.timeout(_CALL_SECONDS):
            connection = await aio_pika.connect(self.url)
            async with connection, connection.channel(publisher_confirms=False) as channel:
                for task_id in task_ids:
                    await channel.default_exchange.publish(_rabbit_message(task_id), routing_key=QUEUE)

    async def left_over(self) -> Sequence[str]:
        listing = await self.ctl(*_LIST_QUEUES)
        return [line for line in listing.splitlines()[_OURS:] if line.strip() and not line.endswith("\t0")]


def _rabbit_message(task_id: str) -> aio_pika.Message:
    return aio_pika.Message(
        body_of(task_id),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(uuid4()),
        correlation_id="repeated",
    )


class RedisBroker(RedisServer):
    """Redis as a `Broker`; without `durable` a kill loses every message."""

    async def close_connections(self) -> None:
        await self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    @asynccontextmanager
    async def without_memory(self, policy: str = "noeviction") -> AsyncIterator[None]:
        await self.command("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", "1")
        try:
            yield
        finally:
            await self.command("CONFIG", "SET", "maxmemory", "0")

    async def purge(self) -> int:
        waiting = int(await self.command("XLEN", QUEUE))
        await self.command("DEL", QUEUE)
        return waiting

    async def publish(self, task_ids: Sequence[str]) -> None:
        async with Redis.from_url(self.url) as client, client.pipeline(transaction=False) as commands:
            for task_id in task_ids:
                commands.xadd(QUEUE, {"body": body_of(task_id)})
            await commands.execute()

    async def flush(self) -> None:
        """Delete everything."""
        await self.command("FLUSHALL")

    async def destroy_group(self) -> None:
        """Delete the consumer group, with what it knows of deliveries."""
        await self.command("XGROUP", "DESTROY", QUEUE, "workers")

    @asynccontextmanager
    async def evicting(self, rng: Random) -> AsyncIterator[None]:
        """Have it evict every key, the streams too, for the time of the context."""
        async with self.without_memory(rng.choice(["allkeys-lru", "allkeys-lfu", "allkeys-random"])):
            yield

    async def left_over(self) -> Sequence[str]:
        """Entries on the streams, and consumers of processes that are gone."""
        lengths = {name: int(await self.command("XLEN", name)) for name in (QUEUE, f"{QUEUE}.dead")}
        entries = [f"{name}: {length} entries" for name, length in lengths.items() if length]
        if not await self.command("EXISTS", QUEUE):
            return entries
        consumers = await self.command("XINFO CONSUMERS", QUEUE, "workers")
        return entries + [f"consumer {found['name']}" for found in consumers if found["idle"] > _SILENT_MILLISECONDS]
