"""Cancelled and closed at any moment: quick, and nothing of it continues."""

import asyncio
from contextlib import suppress
from uuid import uuid4

from ketline.domain.errors import PublishFailed
from ketline.messaging.rabbit import LinkTiming, RabbitConsumer, RabbitPublisher
from tests.brokers import QueueView, Wire, assert_flows, connected, new_dispatch, publish_when_possible, receive
from tests.servers import RabbitServer

LEAVE_SECONDS = 5.0
QUICK = LinkTiming(probe_seconds=0.5, probe_timeout_seconds=0.5, idle_check_seconds=0.5)


async def test_leaving_closes_connections_and_ends_tasks(view: QueueView) -> None:
    async with (
        RabbitPublisher(view.url, queue_name=view.name) as publisher,
        RabbitConsumer(view.url, queue_name=view.name) as consumer,
        consumer.open_slot() as slot,
    ):
        await assert_flows(publisher, slot)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_leaving_at_any_moment_is_quick_and_leaves_no_task(view: QueueView) -> None:
    # These milliseconds sweep over connecting, declaring, subscribing and what follows.
    for milliseconds in range(60):
        async with (
            asyncio.timeout(LEAVE_SECONDS),
            RabbitPublisher(view.url, queue_name=view.name),
            RabbitConsumer(view.url, queue_name=view.name) as consumer,
            consumer.open_slot(),
        ):
            await asyncio.sleep(milliseconds / 1000)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_connection_cancelled_as_it_completes_is_closed(view: QueueView) -> None:
    async with RabbitPublisher(view.url, queue_name=view.name):
        async with asyncio.timeout(LEAVE_SECONDS):
            # aiormq starts its reader in the very step that completes the connection.
            while not any("Connection.__reader" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110
                await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelled_publish_stays_cancelled_when_the_connection_is_lost(
    publisher: RabbitPublisher, rabbit_server: RabbitServer
) -> None:
    async def publish_on() -> None:
        while True:
            with suppress(PublishFailed):
                await publisher.publish(new_dispatch())
            await asyncio.sleep(0)

    for _ in range(20):
        await connected(publisher)
        session = publisher._link.current
        assert session is not None
        publishing = [asyncio.create_task(publish_on()) for _ in range(5)]
        closing = asyncio.create_task(session.connection.close())
        await asyncio.sleep(0)
        for task in publishing:
            task.cancel()
        _, running = await asyncio.wait(publishing, timeout=LEAVE_SECONDS)
        assert not running
        await closing


async def test_acknowledgement_into_a_dead_network_is_silent_and_the_slot_closes(rabbit_server: RabbitServer) -> None:
    view = QueueView(rabbit_server.url, f"tasks-{uuid4()}")
    async with (
        Wire(rabbit_server.port) as wire,
        RabbitPublisher(rabbit_server.url, queue_name=view.name) as publisher,
        RabbitConsumer(wire.url, queue_name=view.name, timing=QUICK) as consumer,
        consumer.open_slot() as slot,
    ):
        await publish_when_possible(publisher, new_dispatch())
        delivery = await receive(slot)
        wire.freeze()
        await delivery.acknowledge()
    await view.delete_all()
