"""The routes by which administrators intervene in tasks of any project, `/admin/tasks/{task_id}`."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from fastapi import APIRouter, Request

from ketline.api.openapi import body_of, problem_responses
from ketline.api.requests.body import read_body
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, services_of
from ketline.domain.errors import TaskEnded, TaskNotFound, TaskRunning, TaskWaits
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId
from ketline.schemas.administration import FailRequest, FailView, RequeueRequest, RequeueView

router = APIRouter(prefix="/admin/tasks", tags=["administration"])

_BODY_CODES = ("body_too_large", "unsupported_media_type", "invalid_request", "invalid_json", "database_unavailable")


@router.post(
    "/{task_id}/requeue",
    operation_id="requeue_task",
    responses=problem_responses("task_not_found", "task_ended", "task_waits", "task_running", *_BODY_CODES),
    openapi_extra={"requestBody": body_of(RequeueRequest, {"force": False}, required=False)},
)
async def requeue_task(task_id: UUID, request: Request) -> RequeueView:
    """Publish a pending task again, or take one back whose worker is dead: its lease has expired, or its worker sends
    no heartbeats. With `force` it is taken from a living worker too, which then stops it. No attempt is counted, and an
    outcome is recorded once in any case."""
    body = await read_body(request, RequeueRequest, optional=True)
    with _problems():
        done = await services_of(request).operations.interventions.requeue(
            TaskId(task_id), actor_of(request), force=body.force
        )
    return RequeueView(task_id=task_id, requeued=done)


@router.post(
    "/{task_id}/fail",
    operation_id="fail_task",
    responses=problem_responses("task_not_found", "task_ended", *_BODY_CODES),
    openapi_extra={"requestBody": body_of(FailRequest, {"reason": "its backend is gone"})},
)
async def fail_task(task_id: UUID, request: Request) -> FailView:
    """End a task that has not ended as failed, with the code `failed_by_administrator` and a reason that its owner
    reads. A worker that runs it stops. Nothing happens if it was failed so before."""
    body = await read_body(request, FailRequest)
    with _problems():
        await services_of(request).operations.interventions.fail(TaskId(task_id), body.reason, actor_of(request))
    return FailView(task_id=task_id, code=FailureCode.FAILED_BY_ADMINISTRATOR)


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except TaskNotFound as error:
        raise HTTPProblem(error.code, str(error)) from error
    except (TaskEnded, TaskWaits, TaskRunning) as error:
        raise HTTPProblem(error.code, str(error), task_status=error.status) from error
