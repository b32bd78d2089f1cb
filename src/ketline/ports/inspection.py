"""What looking at programs and workers needs from the outside, as promises; what running tasks needs is in `ports`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from ketline.domain.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.spec import TaskSpec
from ketline.domain.task import TaskId, WorkerId
from ketline.domain.worker import LiveWorker, WorkerCondition, WorkerIdentity


class Inspector(Protocol):
    """Reads programs without running them, in a process that can be killed; bounded in time and in waiting calls.

    Both calls raise:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot be read, or not be drawn.
        TimeLimitExceeded, MemoryLimitExceeded: reading or drawing it was stopped.
        SimulationFailed: what reads it failed over it.
        InspectorBusy: too many calls wait, or this one has waited for too long.
        ServiceUnavailable: there is no process and none could be started, or two ended over it.
    """

    async def inspect(self, spec: TaskSpec) -> Inspection:
        """Say how the program of a task would be simulated."""
        ...

    async def draw(self, source: ProgramSource, drawing: Drawing) -> str:
        """Show a program's circuit; the same program is always drawn the same."""
        ...


class ProgramLibrary(Protocol):
    """The programs of tasks, which nothing else that is read of a task includes."""

    async def get(self, task_id: TaskId) -> ProgramSource:
        """Give a task's program as it was submitted.

        Raises:
            TaskNotFound: no task has this id.
            DatabaseUnavailable: it cannot be read now.
        """
        ...


class WorkerRegistry(Protocol):
    """The workers that are alive, by what each of them says at every beat; times are the database's.

    What is said here decides nothing about tasks: leases do. Every method raises `DatabaseUnavailable` where nothing
    could be written or read.
    """

    async def beat(
        self,
        worker: WorkerIdentity,
        started_at: datetime | None,
        lifetime: timedelta,
        condition: WorkerCondition | None = None,
    ) -> datetime:
        """Say that a worker lives, and how, for `lifetime` from now unless it beats again; gives when it started.

        With `started_at` None it starts now.
        """
        ...

    async def leave(self, worker_id: WorkerId, started_at: datetime) -> None:
        """Say that a worker stops; another that has started under the same id since then is left alone."""
        ...

    async def live(self) -> Sequence[LiveWorker]:
        """The workers that live, by their ids, with the tasks each holds."""
        ...

    async def forget_lost(self, after: timedelta) -> int:
        """Forget workers that have been silent for longer than that beyond their lifetime, and give how many."""
        ...
