"""As many consumers are active as are allowed; surplus ones stop once they hold no message."""

import asyncio
from uuid import uuid4

from ketline.domain.task import CorrelationId, Dispatch, TaskId
from ketline.messaging.memory import MemoryQueue
from ketline.ports.queue import Delivery
from ketline.worker.consumers import ConsumerLimit


class Rig:
    """Consumers that count themselves while they are active, on a queue in memory."""

    def __init__(self, consumers: int) -> None:
        self.queue = MemoryQueue()
        self.limit = ConsumerLimit()
        self.active_count = 0
        self.deliveries: asyncio.Queue[tuple[Delivery, asyncio.Event]] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.tasks = [asyncio.create_task(self._consumer()) for _ in range(consumers)]

    async def _consumer(self) -> None:
        active = True
        while active:
            async with self.limit.active() as active:
                if active:
                    self._count(1)
                    await self._consume()
                    self._count(-1)

    async def _consume(self) -> None:
        async with self.queue.open_slot() as slot:
            while (delivery := await self.limit.receive(slot)) is not None:
                done = asyncio.Event()
                self.deliveries.put_nowait((delivery, done))
                await done.wait()
                await delivery.acknowledge()

    def _count(self, change: int) -> None:
        self.active_count += change
        self.changed.set()

    async def until_active(self, consumers: int) -> None:
        async with asyncio.timeout(5):
            while self.active_count != consumers:
                self.changed.clear()
                await self.changed.wait()

    async def publish(self) -> None:
        await self.queue.publish(Dispatch(task_id=TaskId(uuid4()), correlation_id=CorrelationId("c")))

    async def close(self) -> None:
        self.limit.close()
        await asyncio.gather(*self.tasks)


async def test_as_many_consumers_are_active_as_are_allowed() -> None:
    rig = Rig(4)
    for allowed in (1, 3, 2, 4, 0):
        rig.limit.allow(allowed)
        await rig.until_active(allowed)
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


async def test_no_consumer_becomes_active_once_closed() -> None:
    rig = Rig(3)
    rig.limit.allow(1)
    await rig.until_active(1)
    await rig.close()
    assert rig.active_count == 0
