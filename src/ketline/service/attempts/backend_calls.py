"""Repeats calls of a backend that change nothing, such as polls. Used by `job_attempt.py`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog

from ketline.domain.errors import BackendAccessDenied, BackendFailed, BackendUnavailable
from ketline.ports.clock import Clock

log = structlog.get_logger()

T = TypeVar("T")

# How many errors in a row without a more specific code are treated as temporary.
MAX_UNEXPLAINED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendTiming:
    """How long attempts wait for a backend.

    While a backend is unavailable, the pauses between calls double from the first to the longest, which also bounds the
    pauses between polls. If a backend accepts no job and gives no delay, the task waits `unavailable_delay`.
    At the time limit of a job, a backend that does not respond is polled for `last_poll_seconds` more: the job may be
    done.
    A job may appear at the backend up to `longest_submission` after the intent to submit it was committed: longer than
    any call takes.
    """

    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    unavailable_delay: timedelta = timedelta(seconds=15)
    last_poll_seconds: float = 10.0
    longest_submission: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class BackendCalls:
    """Calls of one attempt, with growing pauses between repeats."""

    clock: Clock
    timing: BackendTiming = field(default_factory=BackendTiming)

    async def pause(self, seconds: float) -> None:
        """Sleep between two calls, for at most `timing.longest_pause_seconds`."""
        await self.clock.sleep(min(max(seconds, 0.05), self.timing.longest_pause_seconds))

    async def retried(self, call: Callable[[], Awaitable[T]], most: int | None = None) -> T:
        """Return the response to a call that changes nothing; repeat it while the backend is down or denies access.

        The job may have cost money: it is not abandoned because of a credential that an operator can correct, or a few
        errors without a more specific code. After `most` calls, the error is raised.

        Raises:
            BackendFailed: the error is not temporary, or `most` calls failed.
        """
        failures = 0
        while True:
            try:
                return await call()
            except BackendFailed as error:
                failures += 1
                is_temporary = isinstance(error, (BackendUnavailable, BackendAccessDenied))
                unexplained = type(error) is BackendFailed and failures < MAX_UNEXPLAINED
                if failures == most or not (is_temporary or unexplained):
                    raise
                log.warning("backend.call_delayed", code=error.code, error=str(error))
                await self.pause(self._pause_seconds(failures, error))

    def _pause_seconds(self, failures: int, error: BackendFailed) -> float:
        if isinstance(error, BackendUnavailable) and error.delay is not None:
            return error.delay.total_seconds()
        return self.timing.first_pause_seconds * 2.0 ** min(failures - 1, 10)
