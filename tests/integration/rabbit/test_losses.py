"""Lost, dead and blocked connections: every test ends with messages flowing through the same objects."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import cast
from uuid import uuid4

import aiormq
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from structlog.testing import capture_logs
from structlog.typing import EventDict

from ketline.domain.errors import PublishFailed, QueueUnavailable
from ketline.messaging.rabbit import LinkTiming, RabbitConsumer, RabbitPublisher
from tests.brokers import (
    QueueView,
    Wire,
    assert_flows,
    connected,
    eventually,
    new_dispatch,
    publish_when_possible,
    receive,
)
from tests.servers import RabbitServer

QUICK = LinkTiming(probe_seconds=0.5, probe_timeout_seconds=0.5, idle_check_seconds=0.5)


async def test_slot_hears_of_a_closed_connection_before_the_next_probe(
    publisher: RabbitPublisher, view: QueueView, rabbit_server: RabbitServer
) -> None:
    unprobed = LinkTiming(probe_seconds=600, idle_check_seconds=600)
    async with (
        RabbitConsumer(view.url, queue_name=view.name, timing=unprobed) as consumer,
        consumer.open_slot() as slot,
        asyncio.TaskGroup() as tasks,
    ):
        await view.wait_for_consumers(1)
        waiting = tasks.create_task(receive(slot))
        await rabbit_server.ctl("close_all_connections", "test")
        dispatch = new_dispatch()
        await publish_when_possible(publisher, dispatch)
        assert (await waiting).task_id == dispatch.task_id


async def test_delivery_in_hand_comes_again_when_all_connections_are_closed(
    publisher: RabbitPublisher, consumer: RabbitConsumer, rabbit_server: RabbitServer
) -> None:
    dispatch = new_dispatch()
    async with consumer.open_slot() as slot:
        await publisher.publish(dispatch)
        before = await receive(slot)
        await rabbit_server.ctl("close_all_connections", "test")
        again = await receive(slot)
        await before.acknowledge()
        assert (before.task_id, again.task_id) == (dispatch.task_id, dispatch.task_id)
        await again.acknowledge()
        await connected(publisher)
        await assert_flows(publisher, slot)


async def test_message_not_yet_received_is_not_given_twice_by_a_lost_connection(
    publisher: RabbitPublisher, consumer: RabbitConsumer, view: QueueView, rabbit_server: RabbitServer
) -> None:
    first, second = new_dispatch(), new_dispatch()
    async with consumer.open_slot() as slot:
        await publisher.publish(first)
        await view.wait_for_messages(0)
        before = consumer._link.current

        async def reconnected() -> bool:
            return consumer._link.current not in {None, before}

        await rabbit_server.ctl("close_all_connections", "test")
        await eventually(reconnected)
        await view.wait_for_consumers(1)
        await view.wait_for_messages(0)
        await publish_when_possible(publisher, second)
        for dispatch in (first, second):
            delivery = await receive(slot)
            assert delivery.task_id == dispatch.task_id
            await delivery.acknowledge()


async def test_publishes_under_way_fail_or_arrive_when_all_connections_are_closed(
    publisher: RabbitPublisher, view: QueueView, rabbit_server: RabbitServer
) -> None:
    stop = asyncio.Event()
    confirmed = 0

    async def publish_on() -> None:
        nonlocal confirmed
        while not stop.is_set():
            try:
                await publisher.publish(new_dispatch())
                confirmed += 1
            except PublishFailed:
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(publish_on())
        await rabbit_server.ctl("close_all_connections", "test")
        await connected(publisher)
        stop.set()
    state = await view.state(view.name)
    assert state is not None
    assert (state.message_count or 0) >= confirmed > 0


async def test_stalled_consumer_is_noticed(publisher: RabbitPublisher, view: QueueView) -> None:
    async with (
        RabbitConsumer(view.url, queue_name=view.name, timing=QUICK) as consumer,
        consumer.open_slot() as slot,
    ):
        await view.wait_for_consumers(1)
        await _cancel_behind_its_back(consumer)
        await assert_flows(publisher, slot)


async def test_busy_consumer_is_not_taken_for_deaf(publisher: RabbitPublisher, view: QueueView) -> None:
    first, second = new_dispatch(), new_dispatch()
    async with (
        RabbitConsumer(view.url, queue_name=view.name, timing=QUICK) as consumer,
        consumer.open_slot() as slot,
    ):
        await publisher.publish(first)
        held = await receive(slot)
        await publisher.publish(second)
        with pytest.raises(TimeoutError):
            await receive(slot, 3 * QUICK.idle_check_seconds)
        await held.acknowledge()
        assert (await receive(slot)).task_id == second.task_id
        await view.wait_for_messages(0)


async def test_publisher_replaces_a_channel_the_broker_closed(publisher: RabbitPublisher, view: QueueView) -> None:
    assert publisher._channel is not None
    with pytest.raises(ChannelNotFoundEntity):
        await publisher._channel.declare_queue(f"no-{view.name}", passive=True)
    await publish_when_possible(publisher, new_dispatch())


async def test_every_loss_is_repaired_without_the_pauses_of_the_last(
    publisher: RabbitPublisher, rabbit_server: RabbitServer
) -> None:
    with capture_logs() as logs:
        for losses in (1, 2, 3):
            await rabbit_server.ctl("close_all_connections", "test")
            await eventually(partial(_lost, logs, losses))
            await connected(publisher)
    assert [entry["failures"] for entry in logs if entry["event"] == "broker.connection_failed"] == [1, 1, 1]


async def test_half_open_connections_are_noticed_and_replaced(rabbit_server: RabbitServer) -> None:
    name = f"tasks-{uuid4()}"
    async with (
        Wire(rabbit_server.port) as wire,
        RabbitPublisher(wire.url, queue_name=name, publish_timeout_seconds=1.0, timing=QUICK) as publisher,
        RabbitConsumer(wire.url, queue_name=name, timing=QUICK) as consumer,
        consumer.open_slot() as slot,
    ):
        await assert_flows(publisher, slot)
        wire.freeze()
        started = time.monotonic()
        with pytest.raises(QueueUnavailable):
            await publisher.ping()
        with pytest.raises(PublishFailed):
            await publisher.publish(new_dispatch())
        assert time.monotonic() - started < 2.5
        await eventually(lambda: _rejected_at_once(publisher))
        wire.thaw()
        await assert_flows(publisher, slot)
    await QueueView(rabbit_server.url, name).delete_all()


@pytest.fixture
async def alarm(rabbit_server: RabbitServer) -> AsyncIterator[RabbitServer]:
    yield rabbit_server
    await rabbit_server.ctl("set_vm_memory_high_watermark", "0.4")


async def test_blocked_publish_times_out_and_consuming_goes_on(
    alarm: RabbitServer, view: QueueView, consumer: RabbitConsumer
) -> None:
    async with (
        RabbitPublisher(view.url, queue_name=view.name, publish_timeout_seconds=0.5, timing=QUICK) as publisher,
        consumer.open_slot() as slot,
    ):
        await publish_when_possible(publisher, new_dispatch())
        held = await receive(slot)
        await alarm.ctl("set_vm_memory_high_watermark", "0")
        with pytest.raises(PublishFailed, match=r"no confirmation within 0\.5 s"):
            await publisher.publish(new_dispatch())
        with pytest.raises(QueueUnavailable, match="blocked"):
            await publisher.ping()
        await held.acknowledge()
        await view.wait_for_messages(0)
        await alarm.ctl("set_vm_memory_high_watermark", "0.4")
        await connected(publisher)
        await assert_flows(publisher, slot)


async def test_password_is_never_logged_or_quoted(view: QueueView) -> None:
    url = view.url.replace("guest:guest", "guest:open-sesame")
    with capture_logs() as logs:
        async with RabbitPublisher(url, queue_name=view.name) as publisher:

            async def rejected() -> bool:
                return any(entry["event"] == "broker.connection_failed" for entry in logs)

            await eventually(rejected)
            with pytest.raises(PublishFailed) as failure:
                await publisher.publish(new_dispatch())
    assert "open-sesame" not in f"{logs} {failure.value!r}"
    assert "ACCESS_REFUSED" in str(logs)


async def _lost(logs: list[EventDict], times: int) -> bool:
    return [entry["event"] for entry in logs].count("broker.connection_failed") >= times


async def _rejected_at_once(publisher: RabbitPublisher) -> bool:
    """Whether the publisher knows that it has no connection."""
    try:
        async with asyncio.timeout(0.1):
            await publisher.publish(new_dispatch())
    except PublishFailed as failure:
        return "no connection" in str(failure)
    except TimeoutError:
        return False
    return False


async def _cancel_behind_its_back(consumer: RabbitConsumer) -> None:
    """Make the slots deaf: end their consumers so that neither they nor aio-pika's callbacks hear of it."""
    session = consumer._link.current
    assert session is not None
    assert session.connection.transport is not None
    for channel in session.connection.transport.connection.channels.values():
        assert channel is not None
        underlay = cast("aiormq.Channel", channel)
        for tag in list(underlay.consumers):
            await underlay.basic_cancel(tag, nowait=True)
