"""The external backends of the service. Used by the routes of submissions and of backends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ketline.domain.backends.backend_jobs import BackendDescription
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import TaskQueue
from ketline.ports.operations.workers import BackendRegistry, WorkerRegistry

NO_WORKER = "no worker that is alive has this backend"


@dataclass(frozen=True, slots=True)
class ListExternalBackends:
    """Lists the backends that workers have registered; one that no live worker has is offline."""

    workers: WorkerRegistry
    registry: BackendRegistry

    async def names(self) -> Sequence[str]:
        """Return the names of the backends whose queues live workers consume, in alphabetical order.

        Raises:
            DatabaseUnavailable: the workers could not be read.
        """
        queues = [TaskQueue.named(name) for one in await self.workers.live() for name in one.identity.queues or ()]
        return sorted({queue.backend for queue in queues if queue.backend is not None})

    async def __call__(self) -> Mapping[TaskQueue, BackendDescription]:
        """Return the descriptions of all registered backends, by their queues.

        Raises:
            DatabaseUnavailable: they could not be read.
        """
        live = await self.names()
        return {
            TaskQueue(TaskKind.RUN, name): described if name in live else replace(described, offline_reason=NO_WORKER)
            for name, described in (await self.registry.known()).items()
        }
