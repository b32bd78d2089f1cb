"""RabbitMQ's side of the distributed service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import Settings
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[RabbitPublisher]:
    """The publisher of the configured broker; opens while the broker is down."""
    async with RabbitPublisher(
        settings.rabbitmq_url.get_secret_value(),
        queue_name=settings.task_queue_name,
        publish_timeout_seconds=settings.publish_timeout_s,
    ) as publisher:
        yield publisher


@asynccontextmanager
async def open_consumer(settings: Settings) -> AsyncIterator[RabbitConsumer]:
    """The consumer of the configured broker; opens while the broker is down."""
    async with RabbitConsumer(
        settings.rabbitmq_url.get_secret_value(), queue_name=settings.task_queue_name
    ) as consumer:
        yield consumer
