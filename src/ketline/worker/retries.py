"""Retries of a worker: repeats work while the database or the queue is unavailable, until the worker stops.

The loops of all slots call it.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ketline.domain.errors import ServiceUnavailable
from ketline.ports.tasks.queue import Delivery

log = structlog.get_logger()

RETRY_SECONDS = 1.0
# The pause before another attempt to start a simulator doubles up to this.
MAX_RETRY_SECONDS = 10.0


async def until_available(delivery: Delivery, work: Callable[[], Awaitable[object]], stop: asyncio.Event) -> bool:
    """Process a message, retrying during an outage; False if the worker stops first and must not acknowledge it."""
    while not stop.is_set():
        try:
            await work()
        except ServiceUnavailable as error:
            log.warning(
                "task.claim_delayed",
                task_id=str(delivery.task_id),
                correlation_id=delivery.correlation_id,
                error=str(error),
            )
            await pause(stop)  # guard: worker.message_waits
        else:
            return True
    return False


async def pause(stop: asyncio.Event, seconds: float = RETRY_SECONDS) -> None:
    """Wait for `seconds`, or until `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
