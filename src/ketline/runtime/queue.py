"""The broker's side of the distributed service: which adapter the configured address means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ketline.config import Settings
from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from ketline.ports.queue import DeadLetterBox, TaskConsumer, TaskPublisher


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[tuple[TaskPublisher, DeadLetterBox | None]]:
    """The publisher of the configured broker, and its dead letters if it keeps any; opens while the broker is down."""
    async with RabbitPublisher(
        settings.rabbitmq_url.get_secret_value(),
        queue_name=settings.task_queue_name,
        publish_timeout_seconds=settings.publish_timeout_s,
    ) as publisher:
        yield publisher, publisher.dead_letters


@asynccontextmanager
async def open_consumer(settings: Settings) -> AsyncIterator[TaskConsumer]:
    """The consumer of the configured broker; opens while the broker is down."""
    async with RabbitConsumer(
        settings.rabbitmq_url.get_secret_value(), queue_name=settings.task_queue_name
    ) as consumer:
        yield consumer
