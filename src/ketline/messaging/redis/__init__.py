"""The queue on Redis Streams: its publisher and its consumer."""

from ketline.messaging.redis.connection import RedisTiming
from ketline.messaging.redis.consumer import RedisConsumer
from ketline.messaging.redis.publisher import RedisPublisher

__all__ = ["RedisConsumer", "RedisPublisher", "RedisTiming"]
