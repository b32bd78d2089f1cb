"""Supervision of broker connections: runs them again after failures, and handles their libraries' cancellations.

The links, slots and publishers of `messaging.rabbit` and `messaging.redis` use it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

_END_SECONDS = 10.0


@dataclass(slots=True)
class Backoff:
    """Pauses that double from `first_seconds` to `max_seconds`, each shortened by up to half at random."""

    first_seconds: float
    max_seconds: float
    failures: int = field(default=0, init=False)

    def reset(self) -> None:
        """Start again with the first pause, after an attempt succeeded."""
        self.failures = 0

    def next_seconds(self) -> float:
        """Count a failure and return the pause that follows it."""
        # The exponent is bounded, because the power would grow for as long as the broker is down.
        pause = min(self.max_seconds, self.first_seconds * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


@contextmanager
def real_cancellation_only() -> Iterator[None]:
    """Around calls to aiormq or redis-py: raises CancelledError exactly when this task was cancelled meanwhile.

    aiormq fails the futures of a lost connection with CancelledError, which would end the caller silently; here it
    becomes ConnectionResetError. Conversely, a call that is cancelled may return or raise the connection's error in
    both libraries, so that the caller would never stop; here it becomes CancelledError.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0

    def cancelled() -> bool:
        return task is not None and task.cancelling() > before

    try:
        yield
    except asyncio.CancelledError as error:
        if cancelled():
            raise
        raise ConnectionResetError("the connection to the broker was lost") from error
    except Exception as error:
        if cancelled():
            raise asyncio.CancelledError from error
        raise
    if cancelled():
        raise asyncio.CancelledError


@asynccontextmanager
async def bounded(timeout_seconds: float) -> AsyncIterator[None]:
    """Around calls to aiormq or redis-py: `real_cancellation_only`, and TimeoutError after `timeout_seconds`."""
    with real_cancellation_only():
        async with asyncio.timeout(timeout_seconds):
            yield


def keep_connected(
    connect: Callable[[], Awaitable[None]],
    *,
    backoff: Backoff,
    expected: tuple[type[Exception], ...],
    log: structlog.stdlib.BoundLogger,
) -> asyncio.Task[None]:
    """Start to `supervise` the connection of a link, which ends the returned task by `end_task` when it closes."""
    return asyncio.create_task(
        supervise(connect, backoff=backoff, expected=expected, log=log, event="broker.connection_failed")
    )


async def supervise(
    attempt: Callable[[], Awaitable[None]],
    *,
    backoff: Backoff,
    expected: tuple[type[Exception], ...],
    log: structlog.stdlib.BoundLogger,
    event: str,
) -> NoReturn:
    """Run `attempt` for ever; it resets `backoff` once it is connected, and returns or raises when that ends.

    Failures are logged as `event`: the 1st, 2nd, 4th, 8th … in a row as a warning, the others at debug level.

    This is not a `service.loop.Loop`, because it must tell a library's cancellations from its own, and because the
    pauses grow while a broker is down: each attempt opens a connection and declares the queues.
    """
    while True:
        try:
            with real_cancellation_only():
                await attempt()
        except expected as error:
            _report(log, event, backoff.failures + 1, type(error).__name__, str(error))
        except Exception:
            # A bug here or in the library must not end the supervision.
            log.exception(event, failures=backoff.failures + 1)
        await asyncio.sleep(backoff.next_seconds())


def _report(log: structlog.stdlib.BoundLogger, event: str, failures: int, error: str, reason: str) -> None:
    power_of_two = failures & (failures - 1) == 0
    (log.warning if power_of_two else log.debug)(event, error=error, reason=reason, failures=failures)


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task, wait until it has ended, and raise its error if it ended with one."""
    while not task.done():
        task.cancel()
        # Repeated, because a cancellation may be lost in a library, and the process must stop.
        await asyncio.wait([task], timeout=_END_SECONDS)
    if not task.cancelled():
        task.result()
