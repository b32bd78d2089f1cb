"""What the queue in memory adds to the contract: its bound, and the order of what comes back."""

import asyncio
from dataclasses import replace

import pytest

from ketline.domain.errors import QueueFull
from ketline.domain.tasks.queues import CONVERSIONS
from ketline.messaging.memory import MemoryQueue
from tests.brokers import new_dispatch


async def test_full_queue_rejects_a_message_at_once_and_the_other_queues_do_not() -> None:
    queue = MemoryQueue(capacity=1)
    first, rejected = new_dispatch(), new_dispatch()
    await queue.publish(first)
    with pytest.raises(QueueFull, match=str(rejected.task_id)):
        await queue.publish(rejected)
    other = replace(rejected, queue=CONVERSIONS)
    await queue.publish(other)
    assert (await queue.depth(), await queue.depth(CONVERSIONS)) == (1, 1)
    async with queue.open_slot() as slot, queue.open_slot(CONVERSIONS) as conversions:
        assert (await slot.receive()).task_id == first.task_id
        assert (await conversions.receive()).task_id == other.task_id


async def test_message_handed_back_goes_first_even_into_a_full_queue() -> None:
    queue = MemoryQueue(capacity=1)
    first, second = new_dispatch(), new_dispatch()
    await queue.publish(first)
    async with queue.open_slot() as slot:
        await slot.receive()
        await queue.publish(second)
    async with queue.open_slot() as slot:
        received = []
        for _ in range(2):
            delivery = await slot.receive()
            received.append(delivery.task_id)
            await delivery.acknowledge()
    assert received == [first.task_id, second.task_id]


async def test_waiting_slots_take_turns() -> None:
    queue = MemoryQueue()
    turns: list[str] = []

    async def work(name: str) -> None:
        async with queue.open_slot() as slot:
            for _ in range(5):
                delivery = await slot.receive()
                turns.append(name)
                await delivery.acknowledge()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work("left"))
        tasks.create_task(work("right"))
        for _ in range(10):
            await asyncio.sleep(0)
            await queue.publish(new_dispatch())
    assert turns.count("left") == turns.count("right")


async def test_message_of_a_cancelled_call_goes_to_the_next() -> None:
    queue = MemoryQueue()
    async with queue.open_slot() as first, queue.open_slot() as second:
        gives_up, waits = asyncio.create_task(first.receive()), asyncio.create_task(second.receive())
        await asyncio.sleep(0)
        published = new_dispatch()
        await queue.publish(published)
        gives_up.cancel()  # the message is on its way to it
        assert (await waits).task_id == published.task_id
        assert gives_up.cancelled()


async def test_only_one_waiting_call_is_woken() -> None:
    queue = MemoryQueue()
    async with queue.open_slot() as first, queue.open_slot() as second:
        waiting = [asyncio.create_task(slot.receive()) for slot in (first, second)]
        await asyncio.sleep(0)
        await queue.publish(new_dispatch())
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert done == {waiting[0]}
        assert pending == {waiting[1]}
        waiting[1].cancel()
