"""A queue of its own for each test, with a publisher and a consumer on it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from ketline.messaging.redis import RedisConsumer, RedisPublisher, RedisTiming
from tests.brokers import WAIT_SECONDS
from tests.redis_queue import StreamView
from tests.servers import RedisServer

QUICK = RedisTiming(abandoned_seconds=0.6, block_seconds=0.2, reply_timeout_seconds=0.5)


@pytest.fixture
async def view(redis_server: RedisServer) -> AsyncIterator[StreamView]:
    view = StreamView(redis_server, f"tasks-{uuid4()}")
    yield view
    await view.delete_all()


@pytest.fixture
async def publisher(view: StreamView) -> AsyncIterator[RedisPublisher]:
    async with RedisPublisher(view.server.url, queue_name=view.name, ping_timeout_seconds=WAIT_SECONDS) as publisher:
        yield publisher


@pytest.fixture
async def consumer(view: StreamView) -> AsyncIterator[RedisConsumer]:
    async with RedisConsumer(view.server.url, queue_name=view.name) as consumer:
        yield consumer


@pytest.fixture
async def quick_consumer(view: StreamView) -> AsyncIterator[RedisConsumer]:
    """Messages of a consumer that is silent for 0.6 s return to the queue."""
    async with RedisConsumer(view.server.url, queue_name=view.name, timing=QUICK) as consumer:
        yield consumer
