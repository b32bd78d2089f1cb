"""Requeues and fails single tasks for administrators. Used by the routes of `/admin/tasks`."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ketline.domain.access.audit import Actor
from ketline.domain.attempts.interventions import Requeued
from ketline.domain.ids import TaskId
from ketline.ports.operations.interventions import TaskInterventions

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class InterveneInTasks:
    """Calls `TaskInterventions`, and `nudge` to wake the dispatcher for tasks that are due at once."""

    tasks: TaskInterventions
    nudge: Callable[[], None]

    async def requeue(self, task_id: TaskId, actor: Actor, *, force: bool = False) -> Requeued:
        """Requeue a task; see `TaskInterventions.requeue` for what it raises."""
        done = await self.tasks.requeue(task_id, actor, force=force)
        self.nudge()
        log.info("task.requeued", task_id=str(task_id), how=done.value, forced=force)
        return done

    async def fail(self, task_id: TaskId, reason: str, actor: Actor) -> None:
        """Fail a task; see `TaskInterventions.fail` for what it raises."""
        await self.tasks.fail(task_id, reason, actor)
        log.info("task.failed_by_administrator", task_id=str(task_id))
