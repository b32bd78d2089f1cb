"""Opens the queue of the distributed service, for `api.py` and `worker.py`: the adapter for the configured broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import REDIS_SCHEMES, Settings
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from ketline.messaging.redis import RedisConsumer, RedisPublisher, RedisTiming
from ketline.ports.tasks.queue import DeadLetterBox, TaskConsumer, TaskPublisher


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[tuple[TaskPublisher, DeadLetterBox | None]]:
    """Open the publisher on the configured broker, with its dead letters; works also while the broker is down."""
    adapter = RedisPublisher if _on_redis(settings) else RabbitPublisher
    async with adapter(
        settings.broker_url,
        queue_name=settings.task_queue_name,
        publish_timeout_seconds=settings.publish_timeout_s,
    ) as publisher:
        yield publisher, publisher.dead_letters


@asynccontextmanager
async def open_consumer(settings: Settings) -> AsyncIterator[TaskConsumer]:
    """Open the consumer on the configured broker; works also while the broker is down."""
    async with _consumer(settings) as consumer:
        yield consumer


def _consumer(settings: Settings) -> RabbitConsumer | RedisConsumer:
    if _on_redis(settings):
        return RedisConsumer(
            settings.broker_url,
            queue_name=settings.task_queue_name,
            name=settings.worker_id,
            timing=RedisTiming.for_lease(settings.lease_s),
        )
    return RabbitConsumer(settings.broker_url, queue_name=settings.task_queue_name, name=settings.worker_id)


def _on_redis(settings: Settings) -> bool:
    return settings.broker_url.startswith(REDIS_SCHEMES)
