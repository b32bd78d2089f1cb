"""The registries of live workers and of external backends, which workers write and the API reads."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, Self

from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.worker import LiveWorker, WorkerCondition, WorkerIdentity
from ketline.domain.backends.backend_jobs import BackendDescription
from ketline.domain.ids import WorkerId


class WorkerRegistry(Protocol):
    """The workers that are alive, by their heartbeats; times are the database's.

    It has no effect on tasks, which depend only on leases. It shows the tasks of one project. Every method raises
    `DatabaseUnavailable` if the database cannot be read or written.
    """

    def within(self, project: ProjectName) -> Self:
        """Return the registry that shows the tasks of another project."""
        ...

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
        """Return the live workers, ordered by id, with the tasks of the project that each holds."""
        ...

    async def remove_lost(self, after: timedelta) -> int:
        """Remove workers whose lifetime ended longer ago than `after`, and return their number."""
        ...


class BackendRegistry(Protocol):
    """The external backends, as described by the workers that have them.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    async def register(self, name: str, description: BackendDescription) -> None:
        """Record the description of a backend; it replaces an earlier one."""
        ...

    async def known(self) -> Mapping[str, BackendDescription]:
        """Return the backends that were ever registered, by name, in alphabetical order."""
        ...
