"""Messages that were set aside, looked at and put back."""

import json
from dataclasses import replace

import aio_pika
import pytest

from ketline.domain.errors import QueueUnavailable
from ketline.domain.tasks.queues import CONVERSIONS
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from tests.brokers import WAIT_SECONDS, QueueView, eventually, new_dispatch, receive


async def set_aside(view: QueueView, consumer: RabbitConsumer, *bodies: bytes) -> None:
    """Have the consumer reject messages that it cannot read."""
    async with consumer.open_slot():
        for number, body in enumerate(bodies, start=1):
            await view.put(body)
            await view.wait_for_messages(number, dead=True)


async def test_messages_that_cannot_be_read_are_told_with_the_reason(
    publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView
) -> None:
    assert (await publisher.dead_letters.look(10)).count == 0
    await set_aside(view, consumer, b"no json", b"{}")
    for _ in range(2):
        found = await publisher.dead_letters.look(10)
        assert found.count == 2, "they stay where they are"
        assert {letter.problem for letter in found.oldest} == {"the message is not JSON", "the message has no task_id"}
        assert {(letter.reason, letter.task_id) for letter in found.oldest} == {("rejected", None)}
        assert all(letter.at is not None and letter.at.tzinfo is not None for letter in found.oldest)
        await view.wait_for_messages(2, dead=True)
    assert len((await publisher.dead_letters.look(1)).oldest) == 1
    counted = await publisher.dead_letters.look(0)
    assert (counted.count, counted.oldest) == (2, [])


async def test_only_those_that_can_be_read_are_put_back(
    publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView
) -> None:
    dispatch = new_dispatch()
    body = json.dumps({"task_id": str(dispatch.task_id), "correlation_id": dispatch.correlation_id}).encode()
    async with view.channel() as channel:
        await channel.default_exchange.publish(aio_pika.Message(body), view.dead_name)
    await set_aside_one_more(view, consumer)
    assert await publisher.dead_letters.requeue(10) == 1
    async with consumer.open_slot() as slot:
        delivery = await receive(slot)
        assert (delivery.task_id, delivery.correlation_id) == (dispatch.task_id, dispatch.correlation_id)
        await delivery.acknowledge()
    await view.wait_for_messages(1, dead=True)
    assert await publisher.dead_letters.requeue(10) == 0


async def test_dead_letter_returns_to_the_queue_that_it_came_from(publisher: RabbitPublisher, view: QueueView) -> None:
    dispatch = replace(new_dispatch(), queue=CONVERSIONS)
    await publisher.publish(dispatch)
    async with view.channel() as channel:
        found = await (await channel.get_queue(f"{view.name}.convert")).get(timeout=WAIT_SECONDS)
        await found.reject()
    await view.wait_for_messages(1, dead=True)
    assert await publisher.dead_letters.requeue(10) == 1

    async def returned() -> bool:
        return (await publisher.depth(), await publisher.depth(CONVERSIONS)) == (0, 1)

    await eventually(returned)


async def set_aside_one_more(view: QueueView, consumer: RabbitConsumer) -> None:
    await view.wait_for_messages(1, dead=True)
    async with consumer.open_slot():
        await view.put(b"no json")
        await view.wait_for_messages(2, dead=True)


async def test_nobody_tells_while_the_broker_is_away(view: QueueView) -> None:
    publisher = RabbitPublisher("amqp://guest:guest@127.0.0.1:1/", queue_name=view.name)
    for call in (publisher.dead_letters.look(1), publisher.dead_letters.requeue(1)):
        with pytest.raises(QueueUnavailable):
            await call


async def test_missing_queue_is_an_answer_and_the_publisher_lives_on(
    publisher: RabbitPublisher, view: QueueView
) -> None:
    await view.delete_all()
    with pytest.raises(QueueUnavailable):
        await publisher.dead_letters.look(1)
