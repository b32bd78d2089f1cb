"""Find the task that a request is about."""

from uuid import UUID

from fastapi import Request

from ketline.api.errors import Refusal
from ketline.api.services import services_of
from ketline.domain.errors import TaskNotFound
from ketline.domain.task import Task, TaskId


async def stored_task(request: Request, task_id: UUID) -> Task:
    """The task as it stands.

    Raises:
        Refusal: no task has this id.
        DatabaseUnavailable: it could not be read.
    """
    try:
        return await services_of(request).repository.get(TaskId(task_id))
    except TaskNotFound as error:
        raise not_found(task_id) from error


def not_found(task_id: UUID) -> Refusal:
    return Refusal(TaskNotFound.code, f"Task {task_id} was not found.")
