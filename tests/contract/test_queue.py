"""What every queue adapter promises: the same suite on the queue in memory, on RabbitMQ and on Redis."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from ketline.domain.ids import TaskId
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from ketline.messaging.memory import MemoryQueue
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from ketline.messaging.redis import RedisConsumer, RedisPublisher
from ketline.ports.tasks.queue import ConsumerSlot, TaskConsumer, TaskPublisher
from tests.brokers import WAIT_SECONDS, QueueView, connected, new_dispatch, receive
from tests.servers import RabbitServer, RedisServer

NOTHING_SECONDS = 0.3


@dataclass(frozen=True)
class Queue:
    publisher: TaskPublisher
    consumer: TaskConsumer


@pytest.fixture(params=["memory", "rabbitmq", "redis"])
def queue(request: pytest.FixtureRequest) -> Queue:
    """Runs the test once on each adapter."""
    queue: Queue = request.getfixturevalue(f"{request.param}_queue")
    return queue


@pytest.fixture
async def memory_queue() -> Queue:
    queue = MemoryQueue()
    return Queue(queue, queue)


@pytest.fixture
async def rabbitmq_queue(rabbit_server: RabbitServer) -> AsyncIterator[Queue]:
    view = QueueView(rabbit_server.url, f"tasks-{uuid4()}")
    async with (
        RabbitPublisher(view.url, queue_name=view.name, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RabbitConsumer(view.url, queue_name=view.name) as consumer,
    ):
        await connected(publisher)
        yield Queue(publisher, consumer)
    await view.delete_all()


@pytest.fixture
async def redis_queue(redis_server: RedisServer) -> AsyncIterator[Queue]:
    name = f"tasks-{uuid4()}"
    async with (
        RedisPublisher(redis_server.url, queue_name=name, ping_timeout_seconds=WAIT_SECONDS) as publisher,
        RedisConsumer(redis_server.url, queue_name=name) as consumer,
    ):
        yield Queue(publisher, consumer)
    await redis_server.command("DEL", name, f"{name}.dead")


async def assert_nothing_comes(slot: ConsumerSlot) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_SECONDS):
            await slot.receive()


async def publish_new(queue: Queue, count: int) -> list[TaskId]:
    dispatches = [new_dispatch() for _ in range(count)]
    for dispatch in dispatches:
        await queue.publisher.publish(dispatch)
    return [dispatch.task_id for dispatch in dispatches]


async def test_published_ids_arrive_intact(queue: Queue) -> None:
    dispatch = new_dispatch(trace_context="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    async with queue.consumer.open_slot() as slot:
        await queue.publisher.publish(dispatch)
        delivery = await receive(slot)
    assert (delivery.task_id, delivery.correlation_id) == (dispatch.task_id, dispatch.correlation_id)
    assert delivery.trace_context == dispatch.trace_context


async def test_each_queue_has_its_own_messages(queue: Queue) -> None:
    remote = TaskQueue(TaskKind.RUN, "some-backend")
    queues = [SIMULATIONS, CONVERSIONS, remote]
    dispatches = {one: replace(new_dispatch(), queue=one) for one in queues}
    for dispatch in dispatches.values():
        await queue.publisher.publish(dispatch)
    assert [await queue.publisher.depth(one) for one in queues] == [1, 1, 1]
    async with queue.consumer.open_slot(remote) as slot:
        delivery = await receive(slot)
        assert delivery.task_id == dispatches[remote].task_id
        await delivery.acknowledge()
        await assert_nothing_comes(slot)
    for one in (SIMULATIONS, CONVERSIONS):
        async with queue.consumer.open_slot(one) as slot:
            assert (await receive(slot)).task_id == dispatches[one].task_id


async def test_depth_of_a_queue_that_nobody_has_used_is_none(queue: Queue) -> None:
    assert await queue.publisher.depth(TaskQueue(TaskKind.RUN, "unused")) == 0


async def test_messages_wait_for_the_first_slot_and_keep_their_order(queue: Queue) -> None:
    published = await publish_new(queue, 5)
    received = []
    async with queue.consumer.open_slot() as slot:
        for _ in published:
            delivery = await receive(slot)
            received.append(delivery.task_id)
            await delivery.acknowledge()
    assert received == published


async def test_waiting_slot_gets_a_later_message(queue: Queue) -> None:
    async with queue.consumer.open_slot() as slot, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(receive(slot))
        (task_id,) = await publish_new(queue, 1)
        assert (await waiting).task_id == task_id


async def test_slot_gets_no_second_message_before_it_acknowledges(queue: Queue) -> None:
    _, second = await publish_new(queue, 2)
    async with queue.consumer.open_slot() as slot:
        delivery = await receive(slot)
        await assert_nothing_comes(slot)
        await delivery.acknowledge()
        assert (await receive(slot)).task_id == second


async def test_unacknowledged_message_comes_back_when_its_slot_closes(queue: Queue) -> None:
    (task_id,) = await publish_new(queue, 1)
    async with queue.consumer.open_slot() as slot:
        await receive(slot)
    async with queue.consumer.open_slot() as slot:
        assert (await receive(slot)).task_id == task_id


async def test_message_nobody_took_from_its_slot_comes_back(queue: Queue) -> None:
    async with queue.consumer.open_slot() as slot:
        await publish_new(queue, 1)
        first = await receive(slot)
        (second,) = await publish_new(queue, 1)
        await first.acknowledge()
    async with queue.consumer.open_slot() as slot:
        assert (await receive(slot)).task_id == second


async def test_acknowledged_message_does_not_come_back(queue: Queue) -> None:
    await publish_new(queue, 1)
    async with queue.consumer.open_slot() as slot:
        await (await receive(slot)).acknowledge()
    async with queue.consumer.open_slot() as slot:
        await assert_nothing_comes(slot)


async def test_late_and_repeated_acknowledgements_are_silent(queue: Queue) -> None:
    (task_id,) = await publish_new(queue, 1)
    async with queue.consumer.open_slot() as slot:
        late = await receive(slot)
    await late.acknowledge()
    async with queue.consumer.open_slot() as slot:
        delivery = await receive(slot)
        assert delivery.task_id == task_id
        await delivery.acknowledge()
        await delivery.acknowledge()


async def test_busy_slot_leaves_messages_to_the_other(queue: Queue) -> None:
    async with queue.consumer.open_slot() as busy:
        await publish_new(queue, 1)
        await receive(busy)
        async with queue.consumer.open_slot() as idle:
            for task_id in await publish_new(queue, 3):
                delivery = await receive(idle)
                assert delivery.task_id == task_id
                await delivery.acknowledge()


async def test_two_slots_share_fairly(queue: Queue) -> None:
    published = set(await publish_new(queue, 20))
    async with queue.consumer.open_slot() as left, queue.consumer.open_slot() as right:
        seen: set[TaskId] = set()
        for _ in range(10):
            # Each holds one message while the other gets its next.
            deliveries = [await receive(left), await receive(right)]
            seen |= {delivery.task_id for delivery in deliveries}
            for delivery in deliveries:
                await delivery.acknowledge()
    assert seen == published


async def test_many_slots_get_each_message_once(queue: Queue) -> None:
    published = await publish_new(queue, 60)
    received: list[TaskId] = []
    done = asyncio.Event()

    async def work() -> None:
        async with queue.consumer.open_slot() as slot:
            while True:
                delivery = await slot.receive()
                received.append(delivery.task_id)
                await delivery.acknowledge()
                if len(received) == len(published):
                    done.set()

    async with asyncio.timeout(WAIT_SECONDS), asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(work()) for _ in range(4)]
        await done.wait()
        for worker in workers:
            worker.cancel()
    assert sorted(received) == sorted(published)


async def test_cancelled_receive_loses_nothing(queue: Queue) -> None:
    async with queue.consumer.open_slot() as slot:
        for _ in range(20):
            waiting = asyncio.create_task(slot.receive())
            (task_id,) = await publish_new(queue, 1)
            waiting.cancel()
            await asyncio.wait([waiting])
            delivery = await receive(slot) if waiting.cancelled() else waiting.result()
            assert delivery.task_id == task_id
            await delivery.acknowledge()


async def test_receive_given_up_by_timeout_loses_nothing(queue: Queue) -> None:
    async with queue.consumer.open_slot() as slot:
        await assert_nothing_comes(slot)
        (task_id,) = await publish_new(queue, 1)
        assert (await receive(slot)).task_id == task_id


async def test_dispatch_published_twice_comes_twice(queue: Queue) -> None:
    dispatch = new_dispatch()
    await queue.publisher.publish(dispatch)
    await queue.publisher.publish(dispatch)
    async with queue.consumer.open_slot() as slot:
        for _ in range(2):
            delivery = await receive(slot)
            assert delivery.task_id == dispatch.task_id
            await delivery.acknowledge()


async def test_concurrent_publishes_all_arrive(queue: Queue) -> None:
    dispatches = [new_dispatch() for _ in range(100)]
    await asyncio.gather(*(queue.publisher.publish(dispatch) for dispatch in dispatches))
    received = set()
    async with queue.consumer.open_slot() as slot:
        for _ in dispatches:
            delivery = await receive(slot)
            received.add(delivery.task_id)
            await delivery.acknowledge()
    assert received == {dispatch.task_id for dispatch in dispatches}


async def test_ping_answers_while_the_queue_is_there(queue: Queue) -> None:
    await queue.publisher.ping()
