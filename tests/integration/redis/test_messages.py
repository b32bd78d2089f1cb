"""What is on the streams: ids only, and what cannot be a task goes to the dead letters."""

import json
from dataclasses import replace
from uuid import uuid4

from ketline.domain.tasks.queues import CONVERSIONS
from ketline.messaging.message import VERSION
from ketline.messaging.redis import RedisConsumer, RedisPublisher
from tests.brokers import assert_flows, new_dispatch, receive
from tests.redis_queue import StreamView

TRACE_CONTEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_message_holds_ids_only(publisher: RedisPublisher, view: StreamView) -> None:
    dispatch = new_dispatch(trace_context=TRACE_CONTEXT)
    await publisher.publish(dispatch)
    ((_, fields),) = await view.server.command("XRANGE", view.name, "-", "+")
    assert fields.keys() == {b"body"}
    assert json.loads(fields[b"body"]) == {
        "task_id": str(dispatch.task_id),
        "correlation_id": dispatch.correlation_id,
        "version": VERSION,
        "traceparent": TRACE_CONTEXT,
    }


async def test_acknowledged_message_is_deleted(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    async with consumer.open_slot() as slot:
        await publisher.publish(new_dispatch())
        delivery = await receive(slot)
        assert (await view.length(), await view.pending()) == (1, 1)
        await delivery.acknowledge()
        assert (await view.length(), await view.pending()) == (0, 0)


async def test_foreign_messages_are_set_aside_whole(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    many = [str(number) for number in range(20_000)]
    async with consumer.open_slot() as slot:
        await view.put("body", "not json")
        await view.put("body", b"\xff\x00", "reason", "theirs")
        await view.put("else", "1", "more", "2")
        await view.put(*many)
        await view.wait_for(dead=4, length=0, pending=0)
        await assert_flows(publisher, slot)
    first, second, third, fourth = [
        fields for _, fields in await view.server.command("XRANGE", view.dead_name, "-", "+")
    ]
    queue = view.name.encode()
    assert first == {b"reason": b"rejected", b"queue": queue, b"body": b"not json"}
    assert second == {b"reason": b"rejected", b"queue": queue, b"body": b"\xff\x00"}
    assert third == {b"reason": b"rejected", b"queue": queue, b"else": b"1", b"more": b"2"}
    assert fourth[b"0"] == b"1"
    found = await publisher.dead_letters.look(10)
    assert found.count == 4
    assert [letter.problem for letter in found.oldest] == [
        "the message is not JSON",
        "the message is not JSON",
        "the entry has no field body",
        "the entry has no field body",
    ]
    assert all(letter.reason == "rejected" and letter.task_id is None for letter in found.oldest)
    assert all(letter.at is not None and letter.at.tzinfo is not None for letter in found.oldest)


async def test_message_delivered_twenty_times_goes_to_the_dead_letters_and_can_be_requeued(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    dispatch = new_dispatch()
    await publisher.publish(dispatch)
    for delivery in range(20):
        assert await view.length() == 1, f"after {delivery} deliveries"
        async with consumer.open_slot() as slot:
            assert (await receive(slot)).task_id == dispatch.task_id
    await view.wait_for(dead=1, length=0)
    (letter,) = (await publisher.dead_letters.look(10)).oldest
    assert (letter.reason, letter.task_id) == ("delivery_limit", dispatch.task_id)
    await view.server.command("XADD", view.dead_name, "*", "body", "not json")
    assert await publisher.dead_letters.requeue(10) == 1
    assert await publisher.dead_letters.requeue(10) == 0
    assert (await publisher.dead_letters.look(10)).count == 1
    for _ in range(2):  # it may be delivered twenty times again
        async with consumer.open_slot() as slot:
            assert (await receive(slot)).task_id == dispatch.task_id
    assert await view.length() == 1


async def test_dead_letter_returns_to_the_queue_that_it_came_from(
    publisher: RedisPublisher, consumer: RedisConsumer, view: StreamView
) -> None:
    dispatch = replace(new_dispatch(), queue=CONVERSIONS)
    await publisher.publish(dispatch)
    for _ in range(20):
        async with consumer.open_slot(CONVERSIONS) as slot:
            assert (await receive(slot)).task_id == dispatch.task_id
    await view.wait_for(dead=1)
    assert await publisher.dead_letters.requeue(10) == 1
    assert (await publisher.depth(), await publisher.depth(CONVERSIONS)) == (0, 1)


async def test_no_dead_letters_without_a_stream(publisher: RedisPublisher) -> None:
    found = await publisher.dead_letters.look(0)
    assert (found.count, list(found.oldest)) == (0, [])
    assert await publisher.dead_letters.requeue(10) == 0


async def test_queues_do_not_see_each_other(publisher: RedisPublisher, view: StreamView) -> None:
    other = StreamView(view.server, f"tasks-{uuid4()}")
    async with RedisPublisher(view.server.url, queue_name=other.name) as stranger:
        await stranger.publish(new_dispatch())
        assert (await publisher.depth(), await stranger.depth()) == (0, 1)
    await other.delete_all()
