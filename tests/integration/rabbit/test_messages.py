"""Messages as they lie in RabbitMQ: ours as the contract says, others set aside."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId
from ketline.messaging import message
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from tests.brokers import QueueView, assert_flows, new_dispatch, receive

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_message_has_the_properties_of_the_contract(publisher: RabbitPublisher, view: QueueView) -> None:
    dispatch = new_dispatch(trace_context=TRACEPARENT)
    await publisher.publish(dispatch)
    published = await view.take(view.name)
    assert published.delivery_mode == 2
    assert published.content_type == "application/json"
    assert published.correlation_id == dispatch.correlation_id
    assert published.headers["traceparent"] == TRACEPARENT
    assert published.message_id is not None
    assert str(UUID(published.message_id)) == published.message_id
    assert published.timestamp is not None
    assert abs(datetime.now(UTC) - published.timestamp) < timedelta(minutes=1)
    assert message.decode(published.body) == dispatch


async def test_no_message_id_is_used_twice(publisher: RabbitPublisher, view: QueueView) -> None:
    dispatch = new_dispatch()
    await asyncio.gather(*(publisher.publish(dispatch) for _ in range(20)))
    assert len({(await view.take(view.name)).message_id for _ in range(20)}) == 20


async def test_correlation_id_amqp_cannot_carry_travels_in_the_body(
    publisher: RabbitPublisher, consumer: RabbitConsumer
) -> None:
    dispatch = Dispatch(task_id=new_dispatch().task_id, correlation_id=CorrelationId("x" * 300))
    async with consumer.open_slot() as slot:
        await publisher.publish(dispatch)
        assert (await receive(slot)).task_id == dispatch.task_id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"task_id": 7}',
        b'{"task_id": "7"}',
        b"[" * 10_000,
        b"x" * 10**6,
    ],
    ids=["empty", "text", "binary", "list", "no task_id", "number", "bad uuid", "nested", "large"],
)
async def test_foreign_message_is_set_aside_once(
    body: bytes, publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView
) -> None:
    async with consumer.open_slot() as slot:
        await view.put(body)
        await view.wait_for_messages(1, dead=True)
        await assert_flows(publisher, slot)
    assert consumer.set_aside_count == 1
    assert (await view.take(view.dead_name)).body == body


async def test_message_of_another_client_with_only_a_task_id_is_taken(
    publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView
) -> None:
    dispatch = new_dispatch()
    async with consumer.open_slot() as slot:
        await view.put(f'{{"task_id": "{dispatch.task_id}"}}'.encode(), correlation_id="from-elsewhere")
        delivery = await receive(slot)
    assert (delivery.task_id, delivery.correlation_id) == (dispatch.task_id, "from-elsewhere")
