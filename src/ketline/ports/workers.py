"""The registry of live workers, which workers write and the API reads."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from ketline.domain.task import WorkerId
from ketline.domain.worker import LiveWorker, WorkerCondition, WorkerIdentity


class WorkerRegistry(Protocol):
    """The workers that are alive, by their heartbeats; times are the database's.

    It decides nothing about tasks: leases do. Every method raises `DatabaseUnavailable` if the database cannot be read
    or written.
    """

    async def beat(
        self,
        worker: WorkerIdentity,
        started_at: datetime | None,
        lifetime: timedelta,
        condition: WorkerCondition | None = None,
    ) -> datetime:
        """Record a heartbeat and the condition of a worker, and return when it started.

        The worker counts as alive for `lifetime` from now, or until its next heartbeat. With `started_at` None it
        starts now.
        """
        ...

    async def leave(self, worker_id: WorkerId, started_at: datetime) -> None:
        """Remove a worker that stops, unless another has started under the same id since then."""
        ...

    async def live(self) -> Sequence[LiveWorker]:
        """Return the live workers, ordered by id, with the tasks that each holds."""
        ...

    async def forget_lost(self, after: timedelta) -> int:
        """Remove workers whose lifetime ended longer ago than `after`, and return their number."""
        ...
