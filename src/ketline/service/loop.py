"""A background loop: runs a step at intervals until it is cancelled, and survives steps that fail.

Every loop of the services uses it. Loops that end or give a result do not: `attempts.attempt` renews a lease until it
is lost, and retries the write of an outcome until the database responds; a worker's consumers end with their process,
event streams with their client; `messaging.supervision` must distinguish cancellations by aiormq from real ones.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from ketline.domain.errors import KetlineError, ServiceUnavailable

log = structlog.get_logger()


@dataclass(slots=True)
class Loop:
    """Runs `step` at an interval until cancelled; logs a step that fails and runs it again after a pause.

    After a success the loop pauses for `interval_seconds`, or for the seconds that `until_next` returns. Setting `wake`
    ends the pause. The loop clears `wake` before each step, so setting it during a step causes another step. After a
    failure the loop pauses in the same way; with `retry_seconds` it pauses that long, and `wake` does not end the
    pause.

    An error of an `expected` class is logged as the event `delayed`, any other as `crashed` with its traceback. The
    same error is logged once until a step succeeds. With `quiet`, expected errors are logged at debug level only, for
    steps whose delay is visible elsewhere.
    """

    step: Callable[[], Awaitable[object]]
    interval_seconds: float
    delayed: str
    crashed: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    until_next: Callable[[], float] | None = None
    wake: asyncio.Event | None = None
    retry_seconds: float | None = None
    expected: tuple[type[Exception], ...] = (ServiceUnavailable,)
    quiet: bool = False
    _failure: tuple[str, str] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Run the step until cancelled, or until `stop` is called."""
        while not self._stopped:
            if self.wake is not None:
                self.wake.clear()
            try:
                await self.step()
            except Exception as error:
                self._report(error)
                await self._pause_after_failure()
            else:
                self.succeeded()
                await self._pause(self.interval_seconds if self.until_next is None else self.until_next())

    def succeeded(self) -> None:
        """Log the next failure even if it equals the last one; a long step calls this once it has connected."""
        self._failure = None

    def stop(self) -> None:
        """End the loop after the current step, which calls this."""
        self._stopped = True

    def _report(self, error: Exception) -> None:
        expected = isinstance(error, self.expected)
        code = error.code if isinstance(error, KetlineError) else type(error).__name__
        failure = (code, "" if expected else str(error))
        if failure == self._failure:
            return
        self._failure = failure
        if not expected:
            log.error(self.crashed, exc_info=error)
        elif self.quiet:
            log.debug(self.delayed, code=code)
        else:
            log.warning(self.delayed, code=code, error=str(error))

    async def _pause_after_failure(self) -> None:
        if self.retry_seconds is None:
            await self._pause(self.interval_seconds)
        else:
            await self.sleep(self.retry_seconds)

    async def _pause(self, seconds: float) -> None:
        if self._stopped:
            return
        if self.wake is None:
            await self.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            pass
