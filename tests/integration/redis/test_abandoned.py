"""Messages and consumers of processes that died."""

import asyncio

from ketline.messaging.redis import RedisConsumer, RedisPublisher
from ketline.messaging.redis.connection import RedisAddress
from ketline.messaging.redis.stream import TaskStream
from tests.brokers import eventually, new_dispatch, receive
from tests.integration.redis.conftest import QUICK
from tests.redis_queue import GROUP, StreamView


async def leave_behind(view: StreamView, consumer: str) -> None:
    """Take a message as a worker does that is killed at once."""
    found = await view.server.command("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", "1", "STREAMS", view.name, ">")
    assert found


async def test_message_of_a_dead_consumer_is_delivered_again_and_the_consumer_removed(
    publisher: RedisPublisher, quick_consumer: RedisConsumer, view: StreamView
) -> None:
    dispatch = new_dispatch()
    await publisher.ping()
    await publisher.publish(dispatch)
    await leave_behind(view, "dead")
    assert await publisher.depth() == 0
    async with quick_consumer.open_slot() as slot:
        delivery = await receive(slot)
        assert delivery.task_id == dispatch.task_id
        await delivery.acknowledge()

        async def only_the_living() -> bool:
            consumers = await view.consumers()
            return len(consumers) == 1 and "dead" not in consumers

        await eventually(only_the_living)
    assert (await view.length(), await view.consumers()) == (0, {})


async def test_message_in_hand_is_renewed_and_never_delivered_twice(
    publisher: RedisPublisher, quick_consumer: RedisConsumer, view: StreamView
) -> None:
    await publisher.publish(new_dispatch())
    async with quick_consumer.open_slot() as holding, quick_consumer.open_slot() as other:
        receives = [asyncio.create_task(slot.receive()) for slot in (holding, other)]
        _, waiting = await asyncio.wait(receives, timeout=3 * QUICK.abandoned_seconds)
        assert len(waiting) == 1
        assert sum((await view.consumers()).values()) == 1
        for task in waiting:
            task.cancel()


async def test_renewal_of_a_message_that_is_gone_is_silent(view: StreamView) -> None:
    """Nothing is left of it after FLUSHALL; the slot continues, and its acknowledgement does nothing."""
    async with RedisAddress(view.server.url).client(reply_timeout_seconds=5.0) as client:
        stream = TaskStream(client, view.name, view.dead_name)
        await stream.renew("slot", b"1-1")
        await stream.remove(b"1-1")
        await stream.declare()
        await stream.renew("slot", b"1-1")
        assert await view.pending() == 0


async def test_message_that_was_acknowledged_late_is_not_taken_from_its_new_consumer(
    publisher: RedisPublisher, quick_consumer: RedisConsumer, view: StreamView
) -> None:
    await publisher.ping()
    await publisher.publish(new_dispatch())
    await leave_behind(view, "frozen")
    ((entry_id, _),) = await view.server.command("XRANGE", view.name, "-", "+")
    async with quick_consumer.open_slot() as slot:
        await receive(slot)
        assert await view.server.command("XACK", view.name, GROUP, entry_id) == 0
        assert (await view.length(), await view.pending()) == (1, 1)


async def test_consumer_that_holds_a_message_is_not_removed(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    """The message would be lost with it; this consumer's clock is slow, so nothing counts as abandoned yet."""
    await publisher.ping()
    await publisher.publish(new_dispatch())
    await leave_behind(view, "silent")
    async with consumer.open_slot():
        await view.wait_for_readers(1)
    assert await view.consumers() == {"silent": 1}


async def test_entry_deleted_under_its_consumer_leaves_nothing_pending(
    publisher: RedisPublisher, quick_consumer: RedisConsumer, view: StreamView
) -> None:
    await publisher.ping()
    await publisher.publish(new_dispatch())
    await leave_behind(view, "dead")
    ((entry_id, _),) = await view.server.command("XRANGE", view.name, "-", "+")
    await view.server.command("XDEL", view.name, entry_id)
    assert await view.pending() == 1
    async with quick_consumer.open_slot():
        await view.wait_for(pending=0, length=0)
