"""Refuse submissions while too many tasks wait, without counting them anew for each."""

from dataclasses import dataclass, field

from ketline.domain.errors import BacklogFull
from ketline.ports.repositories import TaskSubmissions
from ketline.ports.tasks import Clock
from ketline.service.loop import Loop

LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Backlog:
    """About how many tasks are pending, over all processes: counted twice a second, and up with each submit here.

    What several processes accept within the same half second can exceed the cap by as much.
    """

    repository: TaskSubmissions
    clock: Clock
    cap: int
    _pending: int = field(default=0, init=False)

    def require_room(self, tasks: int = 1) -> None:
        """Return when so many more tasks may be accepted.

        Raises:
            BacklogFull: they may not.
        """
        if self._pending + tasks > self.cap:  # guard: backlog.full
            raise BacklogFull(f"{self.cap} tasks are waiting, as many as this service takes; submit again later.")

    def grow(self, tasks: int = 1) -> None:
        """Take account of tasks accepted by this process."""
        self._pending += tasks

    async def refresh(self) -> None:
        """Count anew.

        Raises:
            DatabaseUnavailable: the last count stands.
        """
        self._pending = await self.repository.count_pending(self.cap)

    async def run(self) -> None:
        """Count until cancelled."""
        await Loop(
            self.refresh,
            LOOK_SECONDS,
            delayed="backlog.not_counted",
            crashed="backlog.crashed",
            sleep=self.clock.sleep,
            quiet=True,
        ).run()
