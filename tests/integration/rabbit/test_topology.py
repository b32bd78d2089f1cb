"""The queues: how they are declared, and what happens when they are missing or somebody else's."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from tests.brokers import QueueView, assert_flows, connected, new_dispatch, publish_when_possible, receive
from tests.servers import RabbitServer


async def test_queues_are_durable_quorum_queues(
    publisher: RabbitPublisher, view: QueueView, rabbit_server: RabbitServer
) -> None:
    rows = await rabbit_server.ctl("list_queues", "name", "type", "durable", "auto_delete")
    found = {tuple(row.split("\t")) for row in rows.splitlines() if row.startswith(view.name)}
    assert found == {(view.name, "quorum", "true", "false"), (view.dead_name, "quorum", "true", "false")}


async def test_consumers_are_named_after_their_worker_and_slot(view: QueueView, rabbit_server: RabbitServer) -> None:
    async with (
        RabbitConsumer(view.url, queue_name=view.name, name="w-1") as consumer,
        consumer.open_slot(name="slot 1"),
        consumer.open_slot(name="slot 1 ahead 3"),
    ):
        await view.wait_for_consumers(2)
        rows = await rabbit_server.ctl("list_consumers", "queue_name", "consumer_tag", "prefetch_count")
    found = {tuple(row.split("\t")) for row in rows.splitlines() if row.startswith(view.name)}
    assert found == {(view.name, "w-1 slot 1", "1"), (view.name, "w-1 slot 1 ahead 3", "1")}


async def test_classic_queue_of_an_older_deployment_is_used_as_it_is(view: QueueView) -> None:
    async with view.channel() as channel:
        await channel.declare_queue(view.name, durable=True)
    with capture_logs() as logs:
        async with (
            RabbitPublisher(view.url, queue_name=view.name) as publisher,
            RabbitConsumer(view.url, queue_name=view.name) as consumer,
            consumer.open_slot() as slot,
        ):
            await assert_flows(publisher, slot)
            await publisher.ping()
    warned = [entry["queue"] for entry in logs if entry["event"] == "queue.arguments_differ"]
    # One line for each connection, however often the queues are declared on it.
    assert warned == [view.name] * 2


async def test_publish_without_a_queue_fails_and_the_queue_is_declared_again(
    publisher: RabbitPublisher, view: QueueView
) -> None:
    await view.delete()
    with pytest.raises(PublishFailed, match="no queue"):
        await publisher.publish(new_dispatch())
    await publish_when_possible(publisher, new_dispatch())
    await view.wait_for_messages(1)


async def test_ping_finds_a_missing_queue_and_has_it_declared_again(
    publisher: RabbitPublisher, view: QueueView
) -> None:
    await view.delete()
    with pytest.raises(QueueUnavailable):
        await publisher.ping()
    await connected(publisher)


async def test_slot_recovers_when_its_queue_is_deleted(
    publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView
) -> None:
    async with consumer.open_slot() as slot, asyncio.TaskGroup() as tasks:
        await view.wait_for_consumers(1)
        waiting = tasks.create_task(receive(slot))
        await view.delete()
        await view.wait_for_consumers(1)
        dispatch = new_dispatch()
        await publish_when_possible(publisher, dispatch)
        assert (await waiting).task_id == dispatch.task_id


async def test_delivery_in_hand_survives_the_deletion_of_the_queue(
    publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView
) -> None:
    async with consumer.open_slot() as slot:
        await publisher.publish(new_dispatch())
        delivery = await receive(slot)
        await view.delete()
        await view.wait_for_consumers(1)
        await delivery.acknowledge()
        await assert_flows(publisher, slot)
