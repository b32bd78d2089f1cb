"""As many consumers are active as are allowed, the first ones; others stop once they hold no message."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId, TaskId
from ketline.messaging.memory import MemoryQueue
from ketline.ports.tasks.queue import Delivery
from ketline.worker.consumers import ConsumerLimit


class Rig:
    """Consumers that count themselves while they are active, on a queue in memory."""

    def __init__(self, consumers: int) -> None:
        self.queue = MemoryQueue()
        self.limit = ConsumerLimit()
        self.active: set[int] = set()
        self.deliveries: asyncio.Queue[tuple[Delivery, asyncio.Event]] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.tasks = [asyncio.create_task(self._consumer(number)) for number in range(consumers)]

    async def _consumer(self, number: int) -> None:
        may_be_active = True
        while may_be_active:
            async with self.limit.active(number) as may_be_active:
                if may_be_active:
                    self.active.add(number)
                    self.changed.set()
                    await self._consume(number)
                    self.active.discard(number)
                    self.changed.set()

    async def _consume(self, number: int) -> None:
        async with self.queue.open_slot() as slot:
            while (delivery := await self.limit.receive(number, slot)) is not None:
                done = asyncio.Event()
                self.deliveries.put_nowait((delivery, done))
                await done.wait()
                await delivery.acknowledge()

    async def until_active(self, consumers: int) -> None:
        await self._until(lambda: len(self.active) == consumers)

    async def until_active_are(self, numbers: set[int]) -> None:
        await self._until(lambda: self.active == numbers)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def publish(self) -> None:
        await self.queue.publish(Dispatch(task_id=TaskId(uuid4()), correlation_id=CorrelationId("c")))

    async def close(self) -> None:
        self.limit.close()
        await asyncio.gather(*self.tasks)


async def test_the_first_consumers_are_active_as_many_as_are_allowed() -> None:
    rig = Rig(4)
    for allowed in (1, 3, 2, 4, 0):
        rig.limit.allow(allowed)
        await rig.until_active(allowed)
        assert rig.active == set(range(allowed))
    await rig.close()


async def test_consumer_with_a_message_stays_active_until_it_is_processed() -> None:
    rig = Rig(2)
    rig.limit.allow(2)
    await rig.publish()
    _, done = await rig.deliveries.get()
    rig.limit.allow(0)
    await rig.until_active(1)
    done.set()
    await rig.until_active(0)
    await rig.close()


async def test_consumer_above_the_limit_stops_for_one_below_when_it_has_processed_its_message() -> None:
    rig = Rig(3)
    rig.limit.allow(3)
    await rig.until_active(3)
    for _ in range(3):
        await rig.publish()
    first, second, last = [done for _, done in [await rig.deliveries.get() for _ in range(3)]]
    rig.limit.allow(1)
    first.set()
    second.set()
    await rig.until_active_are({2})
    last.set()
    await rig.until_active_are({0})
    await rig.close()


async def test_message_of_a_stopping_consumer_goes_to_another() -> None:
    rig = Rig(2)
    rig.limit.allow(2)
    await rig.until_active(2)
    await rig.publish()
    rig.limit.allow(0)
    await rig.until_active(rig.deliveries.qsize())
    rig.limit.allow(1)
    _, done = await rig.deliveries.get()
    done.set()
    await rig.close()


async def test_no_consumer_is_active_while_paused_whatever_the_limit() -> None:
    rig = Rig(2)
    rig.limit.allow(2)
    await rig.publish()
    _, done = await rig.deliveries.get()
    rig.limit.pause(True)
    await rig.until_active(1)
    rig.limit.allow(1)
    done.set()
    await rig.until_active(0)
    assert (rig.limit.allowed, rig.limit.active_consumers) == (0, 0)
    rig.limit.pause(False)
    await rig.until_active_are({0})
    await rig.close()


async def test_no_consumer_becomes_active_once_closed() -> None:
    rig = Rig(3)
    rig.limit.allow(1)
    await rig.until_active(1)
    await rig.close()
    assert not rig.active
