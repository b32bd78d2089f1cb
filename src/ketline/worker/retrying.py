"""How a worker waits for what is not available now: it tries again, until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ketline.domain.errors import ServiceUnavailable
from ketline.ports.tasks import Delivery

log = structlog.get_logger()

RETRY_SECONDS = 1.0
# A simulator that cannot be started is tried again after a pause that doubles up to this.
LONGEST_RETRY_SECONDS = 10.0


async def until_available(delivery: Delivery, work: Callable[[], Awaitable[object]], stop: asyncio.Event) -> bool:
    """Do the work that a message asks for; False where a stop during an outage leaves the message to others."""
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
    """Wait, but no longer than until the stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
