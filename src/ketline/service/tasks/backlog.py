"""The limit on pending tasks: rejects submissions above it, without a query for each submission.

`SubmitTask` calls it before it stores a task.
"""

from dataclasses import dataclass, field

from ketline.domain.errors import BacklogFull
from ketline.ports.clock import Clock
from ketline.ports.tasks.repositories import TaskSubmissions
from ketline.service.loop import Loop

COUNT_SECONDS = 0.5


@dataclass(slots=True)
class Backlog:
    """An estimate of the pending tasks of all processes: counted every half second, plus those submitted here since.

    Several processes that accept tasks within the same half second can together exceed `cap`.
    """

    repository: TaskSubmissions
    clock: Clock
    cap: int
    _pending: int = field(default=0, init=False)

    def require_room(self, tasks: int = 1) -> None:
        """Check that this many more tasks may be accepted.

        Raises:
            BacklogFull: accepting them would exceed the limit.
        """
        if self._pending + tasks > self.cap:  # guard: backlog.full
            raise BacklogFull(f"{self.cap} tasks are waiting, as many as this service takes; submit again later.")

    def grow(self, tasks: int = 1) -> None:
        """Add tasks that this process accepted to the estimate."""
        self._pending += tasks

    async def refresh(self) -> None:
        """Count the pending tasks in the database.

        Raises:
            DatabaseUnavailable: the estimate is unchanged.
        """
        self._pending = await self.repository.count_pending(self.cap)

    async def run(self) -> None:
        """Refresh the estimate at intervals until cancelled."""
        await Loop(
            self.refresh,
            COUNT_SECONDS,
            delayed="backlog.not_counted",
            crashed="backlog.crashed",
            sleep=self.clock.sleep,
            quiet=True,
        ).run()
