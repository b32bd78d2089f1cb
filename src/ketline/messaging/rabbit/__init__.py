"""The queue on RabbitMQ: its publisher and its consumer."""

from ketline.messaging.rabbit.consumer import RabbitConsumer
from ketline.messaging.rabbit.link import LinkTiming
from ketline.messaging.rabbit.publisher import RabbitPublisher

__all__ = ["LinkTiming", "RabbitConsumer", "RabbitPublisher"]
