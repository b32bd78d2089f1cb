"""Keep something that may break running: again and again, with growing, jittered pauses."""

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
        """Start over: the last attempt worked."""
        self.failures = 0

    def next_seconds(self) -> float:
        """Count a failure and give the pause that follows it."""
        # 2**32 is past any pause in use; without the bound the power grows for as long as the broker is down.
        pause = min(self.max_seconds, self.first_seconds * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


@contextmanager
def real_cancellation_only() -> Iterator[None]:
    """Around calls to aiormq: CancelledError comes out exactly when this task was cancelled meanwhile.

    aiormq fails the futures of a lost connection with CancelledError: whoever lets it pass believes itself cancelled
    and ends without a word; here it becomes ConnectionResetError. The other way round, a call that is cancelled
    while its channel closes may return, or raise that channel's error: whoever goes on from there never stops.
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
    """Around calls to aiormq: `real_cancellation_only`, and TimeoutError when they take longer than this."""
    with real_cancellation_only():
        async with asyncio.timeout(timeout_seconds):
            yield


async def supervise(
    attempt: Callable[[], Awaitable[None]],
    *,
    backoff: Backoff,
    expected: tuple[type[Exception], ...],
    log: structlog.stdlib.BoundLogger,
    event: str,
) -> NoReturn:
    """Run `attempt` for ever; it resets the backoff when it got through, and ends or raises when that is over.

    Failures are logged as `event`: the 1st, 2nd, 4th, 8th … in a row as a warning, the others for debugging only.

    It is no `service.loop.Loop`, because aiormq's cancellations must be told from this task's own, and because a broker
    that is down is tried at growing pauses: each attempt opens a connection and all that is declared on it.
    """
    while True:
        try:
            with real_cancellation_only():
                await attempt()
        except expected as error:
            _report(log, event, backoff.failures + 1, type(error).__name__, str(error))
        except Exception:
            # A bug of ours or of the client library must not leave the process deaf.
            log.exception(event, failures=backoff.failures + 1)
        await asyncio.sleep(backoff.next_seconds())


def _report(log: structlog.stdlib.BoundLogger, event: str, failures: int, error: str, reason: str) -> None:
    power_of_two = failures & (failures - 1) == 0
    (log.warning if power_of_two else log.debug)(event, error=error, reason=reason, failures=failures)


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has cleaned up; an error it ended with is raised here."""
    while not task.done():
        task.cancel()
        # Again after a while: a cancellation that was swallowed must not keep the process from stopping.
        await asyncio.wait([task], timeout=_END_SECONDS)
    if not task.cancelled():
        task.result()
