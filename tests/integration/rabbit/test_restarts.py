"""The broker itself goes away and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from tests.brokers import (
    QueueView,
    assert_flows,
    connected,
    new_dispatch,
    publish_when_possible,
    receive,
    receive_message_of,
)
from tests.servers import RabbitServer

RECOVERY_SECONDS = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def breakable_server() -> AsyncIterator[RabbitServer]:
    """A server that a test may stop, provided that it starts it again."""
    async with RabbitServer() as server:
        yield server


async def test_start_up_waits_for_the_broker_in_the_background(breakable_server: RabbitServer) -> None:
    await breakable_server.stop()
    async with (
        RabbitPublisher(breakable_server.url, queue_name="late") as publisher,
        RabbitConsumer(breakable_server.url, queue_name="late") as consumer,
        consumer.open_slot() as slot,
    ):
        with pytest.raises(QueueUnavailable):
            await publisher.ping()
        with pytest.raises(PublishFailed):
            await publisher.publish(new_dispatch())
        await breakable_server.start()
        await connected(publisher, RECOVERY_SECONDS)
        await assert_flows(publisher, slot)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_waiting_slot_and_publisher_survive_a_restart(how: str, breakable_server: RabbitServer) -> None:
    async with (
        RabbitPublisher(breakable_server.url, queue_name=how) as publisher,
        RabbitConsumer(breakable_server.url, queue_name=how) as consumer,
        consumer.open_slot() as slot,
        asyncio.TaskGroup() as tasks,
    ):
        await assert_flows(publisher, slot)
        dispatch = new_dispatch()
        waiting = tasks.create_task(receive_message_of(slot, dispatch, 60))
        await (breakable_server.stop() if how == "stop" else breakable_server.kill())
        await breakable_server.start()
        back = time.monotonic()
        await publish_when_possible(publisher, dispatch)
        await waiting
        assert time.monotonic() - back < RECOVERY_SECONDS


async def test_delivery_in_hand_comes_again_after_a_restart(breakable_server: RabbitServer) -> None:
    dispatch = new_dispatch()
    async with (
        RabbitPublisher(breakable_server.url, queue_name="held") as publisher,
        RabbitConsumer(breakable_server.url, queue_name="held") as consumer,
        consumer.open_slot() as slot,
    ):
        await publish_when_possible(publisher, dispatch)
        held = await receive(slot)
        await breakable_server.kill()
        await held.acknowledge()
        await breakable_server.start()
        again = await receive(slot, RECOVERY_SECONDS)
        assert again.task_id == dispatch.task_id
        await again.acknowledge()
        await assert_flows(publisher, slot)


async def test_slot_closes_while_the_broker_is_down(breakable_server: RabbitServer) -> None:
    async with RabbitConsumer(breakable_server.url, queue_name="closing") as consumer, consumer.open_slot():
        await QueueView(breakable_server.url, "closing").wait_for_consumers(1)
        await breakable_server.kill()
    await breakable_server.start()
