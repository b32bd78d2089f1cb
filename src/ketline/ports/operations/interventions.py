"""Changes single tasks of any project for administrators, when a task does not reach its end by itself."""

from collections.abc import Sequence
from typing import Protocol

from ketline.domain.access.audit import Actor
from ketline.domain.attempts.interventions import Requeued
from ketline.domain.ids import TaskId


class TaskInterventions(Protocol):
    """Each method is one transaction, with its line of history and its entry of the audit log; it can be repeated.

    Whatever happens meanwhile, an outcome is recorded once: a worker whose task was taken back, or failed, has lost its
    lease. Every method raises `DatabaseUnavailable` if the database cannot be written.
    """

    async def requeue(self, task_id: TaskId, actor: Actor, *, force: bool = False) -> Requeued:
        """Make a task due for dispatch at once; one that is processing only if its worker is dead, or with `force`.

        A worker is dead if the lease of the task has expired, or if it sends no heartbeats. The attempt is not counted.
        A delay after an earlier attempt ends.

        Raises:
            TaskNotFound: no task has this id.
            TaskEnded: it has ended.
            TaskWaits: it is held, or scheduled for later.
            TaskRunning: its worker is alive.
        """
        ...

    async def lost(self, *, force: bool = False) -> Sequence[TaskId]:
        """Return the tasks that `requeue` would requeue: tasks of dead workers, or with `force` all running tasks."""
        ...

    async def fail(self, task_id: TaskId, reason: str, actor: Actor) -> None:
        """Fail a task with the code `failed_by_administrator`; does nothing if it has already failed with this code.

        Raises:
            TaskNotFound: no task has this id.
            TaskEnded: it has ended in another way.
        """
        ...
