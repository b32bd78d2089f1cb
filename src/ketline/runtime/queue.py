"""The queue of the distributed service: the adapter for the configured broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import Settings
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from ketline.ports.queue import DeadLetterBox, TaskConsumer, TaskPublisher


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[tuple[TaskPublisher, DeadLetterBox | None]]:
    """Open the publisher on the configured broker, with its dead letters; works also while the broker is down."""
    async with RabbitPublisher(
        settings.rabbitmq_url.get_secret_value(),
        queue_name=settings.task_queue_name,
        publish_timeout_seconds=settings.publish_timeout_s,
    ) as publisher:
        yield publisher, publisher.dead_letters


@asynccontextmanager
async def open_consumer(settings: Settings) -> AsyncIterator[TaskConsumer]:
    """Open the consumer on the configured broker; works also while the broker is down."""
    async with RabbitConsumer(
        settings.rabbitmq_url.get_secret_value(), queue_name=settings.task_queue_name
    ) as consumer:
        yield consumer
