"""A queue of its own for each test, with a publisher and a consumer on it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from ketline.messaging.rabbit import RabbitConsumer, RabbitPublisher
from tests.brokers import WAIT_SECONDS, QueueView, connected
from tests.servers import RabbitServer


@pytest.fixture
async def view(rabbit_server: RabbitServer) -> AsyncIterator[QueueView]:
    view = QueueView(rabbit_server.url, f"tasks-{uuid4()}")
    yield view
    await view.delete_all()


@pytest.fixture
async def publisher(view: QueueView) -> AsyncIterator[RabbitPublisher]:
    async with RabbitPublisher(view.url, queue_name=view.name, ping_timeout_seconds=WAIT_SECONDS) as publisher:
        await connected(publisher)
        yield publisher


@pytest.fixture
async def consumer(view: QueueView) -> AsyncIterator[RabbitConsumer]:
    async with RabbitConsumer(view.url, queue_name=view.name) as consumer:
        yield consumer
