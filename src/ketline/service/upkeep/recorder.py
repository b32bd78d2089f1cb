"""The recorder of the history of statistics: records each minute that this process watched from beginning to end."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ketline.domain.operations.history import Minute, minute_of, start_of
from ketline.ports.clock import Clock
from ketline.ports.operations.history import StatisticsHistory
from ketline.service.loop import Loop

# The delay after the end of a minute: by then its changes are committed. It differs between processes.
MIN_DELAY_SECONDS, MAX_DELAY_SECONDS = 2.0, 12.0
# The longest pause between two readings of the clock; after a longer one this process may have missed changes.
MAX_PAUSE = timedelta(seconds=90)
RETRY_SECONDS = 5.0


@dataclass(slots=True)
class Recorder:
    """Records the minutes of the history; one runs in every process, and for each minute the first one records it.

    After a start, a pause of the process, an outage of the database or a step of its clock it leaves out the minutes
    that it has not watched since they began. It records a minute `delay_seconds` after the end of the minute.
    """

    history: StatisticsHistory
    clock: Clock
    delay_seconds: float = MIN_DELAY_SECONDS
    _last: datetime | None = field(default=None, init=False)
    _since: datetime | None = field(default=None, init=False)
    _recorded: Minute | None = field(default=None, init=False)

    async def run(self) -> None:
        """Record until cancelled."""
        await Loop(
            self.step,
            RETRY_SECONDS,
            delayed="history.delayed",
            crashed="history.crashed",
            sleep=self.clock.sleep,
            until_next=self._until_next,
            retry_seconds=RETRY_SECONDS,
            quiet=True,
        ).run()

    async def step(self) -> bool:
        """Record the last full minute if this process watched all of it; False if it did not record it.

        Raises:
            DatabaseUnavailable: the minute may not have been recorded.
        """
        at = await self.history.now()
        if self._since is None or not _follows(self._last, at):  # guard: history.watched
            self._since = at
        self._last = at
        minute = Minute(minute_of(at) - 1)
        if minute == self._recorded or start_of(minute) < self._since:
            return False
        recorded = await self.history.record(minute)
        self._recorded = minute
        return recorded

    def _until_next(self) -> float:
        """The seconds until `delay_seconds` after the end of a minute, by the last reading of the clock."""
        assert self._last is not None  # a step has succeeded
        return (self.delay_seconds - self._last.timestamp()) % 60 or 60.0


def _follows(last: datetime | None, at: datetime) -> bool:
    """Whether a reading of the clock follows the last one closely enough that nothing was missed between them."""
    return last is not None and timedelta() <= at - last <= MAX_PAUSE
