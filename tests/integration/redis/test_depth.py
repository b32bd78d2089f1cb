"""The number of messages that no consumer holds, whatever happened to the stream."""

from contextlib import AsyncExitStack

from ketline.messaging.redis import RedisConsumer, RedisPublisher
from tests.brokers import new_dispatch, receive
from tests.redis_queue import GROUP, StreamView


async def publish(publisher: RedisPublisher, count: int) -> None:
    for _ in range(count):
        await publisher.publish(new_dispatch())


async def test_depth_counts_what_no_consumer_holds(publisher: RedisPublisher, consumer: RedisConsumer) -> None:
    assert await publisher.depth() == 0
    await publish(publisher, 5)
    assert await publisher.depth() == 5
    async with AsyncExitStack() as stack:
        slots = [await stack.enter_async_context(consumer.open_slot()) for _ in range(2)]
        held = [await receive(slot) for slot in slots]
        assert await publisher.depth() == 3
        for delivery in held:
            await delivery.acknowledge()
        for slot in slots:
            await receive(slot)
        assert await publisher.depth() == 1
    assert await publisher.depth() == 3


async def test_depth_is_right_where_the_lag_of_the_group_is_unknown(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    await publish(publisher, 6)
    ids = [entry_id for entry_id, _ in await view.server.command("XRANGE", view.name, "-", "+")]
    async with consumer.open_slot() as slot:
        await receive(slot)
        await view.server.command("XDEL", view.name, ids[0], ids[3])
        (group,) = await view.server.command("XINFO GROUPS", view.name)
        assert group["lag"] is None
        assert await publisher.depth() == 4


async def test_depth_after_an_operator_moved_the_group(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    await publish(publisher, 4)
    async with consumer.open_slot() as slot:
        await receive(slot)
        await view.server.command("XGROUP", "SETID", view.name, GROUP, "$")
        assert await publisher.depth() == 0


async def test_depth_without_group_and_without_stream(publisher: RedisPublisher, view: StreamView) -> None:
    await publisher.ping()
    await publish(publisher, 3)
    await view.server.command("XGROUP", "DESTROY", view.name, GROUP)
    assert await publisher.depth() == 3
    await view.delete_all()
    assert await publisher.depth() == 0
    await publish(publisher, 2)
    assert await publisher.depth() == 2
