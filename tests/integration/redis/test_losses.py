"""Lost connections, streams and servers: every test ends with messages flowing through the same objects."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.messaging.redis import RedisConsumer, RedisPublisher, RedisTiming
from tests.brokers import (
    WAIT_SECONDS,
    Wire,
    assert_flows,
    connected,
    eventually,
    new_dispatch,
    publish_when_possible,
    receive,
)
from tests.redis_queue import GROUP, StreamView
from tests.servers import RedisServer

QUEUE = "quantum_tasks"
QUICK = RedisTiming(abandoned_seconds=0.6, block_seconds=0.2, reply_timeout_seconds=0.5)
PrivateServer = Callable[..., Awaitable[RedisServer]]


async def close_connections(server: RedisServer) -> None:
    await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


async def test_waiting_slot_survives_the_loss_of_its_connection(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    async with consumer.open_slot() as slot:
        await view.wait_for_readers(1)
        for _ in range(3):
            await close_connections(view.server)
            await assert_flows(publisher, slot)


async def test_held_message_stays_with_its_slot_across_a_loss(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    dispatch = new_dispatch()
    async with consumer.open_slot() as slot:
        await publisher.publish(dispatch)
        delivery = await receive(slot)
        await close_connections(view.server)
        await delivery.acknowledge()
        await assert_flows(publisher, slot)
        assert await view.length() == 0


@pytest.mark.parametrize("loss", [("FLUSHALL",), ("DEL", QUEUE), ("XGROUP", "DESTROY", QUEUE, GROUP)])
async def test_slots_go_on_after_the_stream_or_its_group_is_gone(
    private_redis_server: PrivateServer, loss: tuple[str, ...]
) -> None:
    server = await private_redis_server()
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url) as consumer,
        consumer.open_slot() as holding,
    ):
        await publisher.publish(new_dispatch())
        held = await receive(holding)
        async with consumer.open_slot() as waiting:
            await assert_flows(publisher, waiting)
            await server.command(*loss)
            await assert_flows(publisher, waiting)
        await held.acknowledge()
        await assert_flows(publisher, holding)
        assert await publisher.depth() == 0


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
async def test_slots_go_on_after_an_eviction(private_redis_server: PrivateServer, policy: str) -> None:
    server = await private_redis_server()
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url) as consumer,
    ):
        for _ in range(100):
            await publisher.publish(new_dispatch())
        await server.command("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", policy)
        with pytest.raises(PublishFailed, match="OutOfMemory"):
            await publisher.publish(new_dispatch())
        assert await publisher.depth() == 0
        await server.command("CONFIG", "SET", "maxmemory", "0")
        async with consumer.open_slot() as slot:
            await assert_flows(publisher, slot)


async def test_server_without_memory_rejects_messages_and_still_delivers(private_redis_server: PrivateServer) -> None:
    server = await private_redis_server()
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url, timing=QUICK) as consumer,
        consumer.open_slot() as slot,
    ):
        waiting = [new_dispatch() for _ in range(2)]
        for dispatch in waiting:
            await publisher.publish(dispatch)
        first = await receive(slot)
        await server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(PublishFailed, match="maxmemory"):
            await publisher.publish(new_dispatch())
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            await publisher.ping()
        await first.acknowledge()
        second = await receive(slot)
        assert [first.task_id, second.task_id] == [dispatch.task_id for dispatch in waiting]
        await server.command("CONFIG", "SET", "maxmemory", "0")
        await second.acknowledge()
        await assert_flows(publisher, slot)


async def test_message_that_cannot_be_returned_for_want_of_memory_is_not_lost(
    private_redis_server: PrivateServer,
) -> None:
    server = await private_redis_server()
    dispatch = new_dispatch()
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url, timing=QUICK) as consumer,
    ):
        async with consumer.open_slot() as slot:
            await publisher.publish(dispatch)
            await receive(slot)
            await server.command("CONFIG", "SET", "maxmemory", "1")
        assert await server.command("XLEN", QUEUE) == 1
        await server.command("CONFIG", "SET", "maxmemory", "0")
        async with consumer.open_slot() as slot:
            assert (await receive(slot)).task_id == dispatch.task_id


async def test_replica_accepts_no_messages_and_says_so(private_redis_server: PrivateServer) -> None:
    server = await private_redis_server()
    async with RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher:
        await publisher.ping()
        await server.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(QueueUnavailable, match="read only replica"):
            await publisher.ping()
        with pytest.raises(PublishFailed, match="read only replica"):
            await publisher.publish(new_dispatch())
        await server.command("REPLICAOF", "NO", "ONE")
        await publisher.publish(new_dispatch())


async def test_wrong_password_is_reported_and_not_repeated(private_redis_server: PrivateServer) -> None:
    server = await private_redis_server()
    async with RedisPublisher(
        server.url.replace("redis://", "redis://:hidden@"), ping_timeout_seconds=WAIT_SECONDS
    ) as publisher:
        await server.command("CONFIG", "SET", "requirepass", "another")
        for call in (publisher.ping(), publisher.depth(), publisher.publish(new_dispatch())):
            with pytest.raises((QueueUnavailable, PublishFailed), match="AuthenticationError") as rejection:
                await call
            assert "hidden" not in "".join(traceback.format_exception(rejection.value))


async def test_key_of_another_type_is_an_error_and_no_crash(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    await view.server.command("SET", view.name, "theirs")
    async with consumer.open_slot() as slot:
        with pytest.raises(PublishFailed, match="WRONGTYPE"):
            await publisher.publish(new_dispatch())
        with pytest.raises(QueueUnavailable, match="WRONGTYPE"):
            await publisher.ping()
        await view.delete_all()
        await assert_flows(publisher, slot)


@pytest.mark.parametrize("durable", [True, False], ids=["appendonly", "in memory"])
@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_publisher_and_slots_survive_a_restart(
    private_redis_server: PrivateServer, how: str, durable: bool
) -> None:
    server = await private_redis_server(durable=durable)
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url) as consumer,
        consumer.open_slot() as holding,
    ):
        await publisher.publish(new_dispatch())
        held = await receive(holding)
        async with consumer.open_slot() as waiting:
            await assert_flows(publisher, waiting)
            with capture_logs() as logs:
                await (server.stop() if how == "stop" else server.kill())
                with pytest.raises(PublishFailed):
                    await publisher.publish(new_dispatch())
                with pytest.raises(QueueUnavailable):
                    await publisher.ping()
                await server.start()
                await connected(publisher, 5.0)
                await assert_flows(publisher, waiting)
            assert not [line for line in logs if line["log_level"] in {"error", "critical"}], logs
        await held.acknowledge()
        await assert_flows(publisher, holding)
        assert await publisher.depth() == 0
    assert await server.command("XLEN", QUEUE) == 0


async def test_what_was_published_survives_a_kill_with_appendonly(private_redis_server: PrivateServer) -> None:
    server = await private_redis_server(durable=True)
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url) as consumer,
    ):
        dispatch = new_dispatch()
        await publisher.publish(dispatch)
        await server.kill()
        await server.start()
        async with consumer.open_slot() as slot:
            assert (await receive(slot)).task_id == dispatch.task_id


async def test_start_up_waits_for_the_server_in_the_background(private_redis_server: PrivateServer) -> None:
    server = await private_redis_server()
    await server.stop()
    async with (
        RedisPublisher(server.url, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(server.url) as consumer,
        consumer.open_slot() as slot,
    ):
        with pytest.raises(QueueUnavailable):
            await publisher.ping()
        await server.start()
        await assert_flows(publisher, slot)


async def test_dead_network_is_detected_and_replaced(view: StreamView) -> None:
    async with Wire(view.server.port) as wire:
        url = f"redis://127.0.0.1:{wire.port}/0"
        async with (
            RedisPublisher(url, queue_name=view.name, publish_timeout_seconds=0.5) as publisher,
            RedisConsumer(url, queue_name=view.name, timing=QUICK) as consumer,
            consumer.open_slot() as slot,
        ):
            await assert_flows(publisher, slot)
            wire.freeze()
            async with asyncio.timeout(5.0):
                with pytest.raises(QueueUnavailable):
                    await publisher.ping()
                with pytest.raises(PublishFailed, match="no confirmation"):
                    await publisher.publish(new_dispatch())
            wire.thaw()
            await publish_when_possible(publisher, new_dispatch())
            await assert_flows(publisher, slot)


async def test_message_delivered_to_a_lost_connection_comes_again_at_once(
    publisher: RedisPublisher, view: StreamView
) -> None:
    """At once: long before its consumer, which is alive, could be taken for dead."""
    patient = RedisTiming(abandoned_seconds=600.0, block_seconds=0.2, reply_timeout_seconds=0.5)
    dispatch = new_dispatch()
    async with (
        Wire(view.server.port) as wire,
        RedisConsumer(f"redis://127.0.0.1:{wire.port}/0", queue_name=view.name, timing=patient) as consumer,
        consumer.open_slot() as slot,
    ):
        await view.wait_for_readers(1)
        with capture_logs() as logs:

            async def connection_given_up() -> bool:
                return any(line["event"] == "queue.consumer_failed" for line in logs)

            wire.freeze()
            await publisher.publish(dispatch)
            await view.wait_for(pending=1)
            await eventually(connection_given_up)
            wire.thaw()
        assert (await receive(slot)).task_id == dispatch.task_id


async def test_leaving_on_a_dead_network_is_quick_and_leaves_no_task(view: StreamView) -> None:
    async with Wire(view.server.port) as wire:
        url = f"redis://127.0.0.1:{wire.port}/0"
        before = asyncio.all_tasks()
        async with asyncio.timeout(15.0):
            async with (
                RedisPublisher(url, queue_name=view.name) as publisher,
                RedisConsumer(url, queue_name=view.name) as consumer,
                consumer.open_slot() as slot,
            ):
                await assert_flows(publisher, slot)
                wire.freeze()
            assert {task for task in asyncio.all_tasks() - before if "Wire" not in repr(task)} == set()


async def test_leaving_at_any_moment_is_quick_and_leaves_no_task(view: StreamView) -> None:
    # These milliseconds sweep over connecting, declaring, reading and what follows.
    for milliseconds in range(30):
        async with (
            asyncio.timeout(5.0),
            RedisPublisher(view.server.url, queue_name=view.name, ping_timeout_seconds=WAIT_SECONDS) as publisher,
            RedisConsumer(view.server.url, queue_name=view.name) as consumer,
            consumer.open_slot(),
        ):
            await publisher.publish(new_dispatch())
            await asyncio.sleep(milliseconds / 1000)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await view.pending() == 0
    assert await view.consumers() == {}
    assert await view.length() == 30
