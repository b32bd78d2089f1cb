"""The routes that submit, read and cancel one task."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.params import Depends

from ketline.api.direct_route import DirectRoute
from ketline.api.legacy.plain import plain_response
from ketline.api.legacy.shapes import READ_TASK, shape_of
from ketline.api.openapi import (
    ACCEPTED_HEADERS,
    REPLAYED,
    SUBMIT_BODY,
    SUBMIT_HEADERS,
    SUBMIT_PROBLEMS,
    problem_responses,
)
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, options_of, services_of, trace_of
from ketline.api.tasks.long_poll import (
    APPLIED,
    APPLIED_HEADERS,
    PREFER_HEADER,
    ended_task,
    preferred_wait,
    require_wait,
    wait_for_end,
)
from ketline.api.tasks.stored import not_found, stored_task, task_response
from ketline.api.tasks.submission import read_submission
from ketline.api.tasks.views import view_accepted, view_task
from ketline.domain.errors import ServiceUnavailable, TaskEnded, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.domain.tasks.task import Task
from ketline.schemas.legacy import ResultShape
from ketline.schemas.submissions import TaskAccepted
from ketline.schemas.tasks import TaskView

router = APIRouter(prefix="/tasks", tags=["tasks"])


async def create_task(request: Request) -> Response:
    """Submit a program. The response comes once the task is stored; a program with errors is accepted too, and its
    task fails with a message, line and column. With `Prefer: wait=30` the response is the task itself, if it ends
    within that many seconds."""
    submission = await read_submission(request, options_of(request))
    headers: dict[str, str] = {}
    if (seconds := preferred_wait(request)) is None:
        accepted, task = await services_of(request).submit(submission), None
    else:
        headers[APPLIED] = f"wait={seconds}"
        accepted, task = await _submit_and_wait(request, submission, seconds)
    headers["Location"] = f"/tasks/{accepted.task_id}"
    trace_of(request).about(str(accepted.task_id))
    if accepted.repeated:
        headers[REPLAYED] = "true"
    if task is not None:
        return await task_response(request, task, headers=headers)
    body = view_accepted(accepted).model_dump_json()
    return Response(body, status.HTTP_202_ACCEPTED, headers, "application/json")


def add_submission(router: APIRouter, dependencies: Sequence[Depends]) -> None:
    """Add `POST /tasks` to the application's router as a `DirectRoute`, which skips FastAPI's request handling."""
    router.add_api_route(
        "/tasks",
        create_task,
        methods=["POST"],
        tags=["tasks"],
        route_class_override=DirectRoute,
        dependencies=dependencies,
        operation_id="submit_task",
        response_model=TaskAccepted,
        status_code=status.HTTP_202_ACCEPTED,
        responses={
            200: {
                "model": TaskView,
                "description": "The task, which has ended within the preferred wait",
                "headers": {**ACCEPTED_HEADERS, **APPLIED_HEADERS},
            },
            202: {"headers": {**ACCEPTED_HEADERS, **APPLIED_HEADERS}},
            **SUBMIT_PROBLEMS,
        },
        openapi_extra={"requestBody": SUBMIT_BODY, "parameters": [*SUBMIT_HEADERS, PREFER_HEADER]},
    )


@router.get(
    "/{task_id}",
    operation_id=READ_TASK,
    response_model=TaskView,
    response_model_exclude_none=True,
    responses={
        200: {"headers": APPLIED_HEADERS},
        **problem_responses("task_not_found", "invalid_request", "database_unavailable"),
    },
    openapi_extra={"parameters": [PREFER_HEADER]},
)
async def read_task(
    task_id: UUID,
    request: Request,
    response: Response,
    wait: Annotated[
        float | None,
        Query(ge=0, allow_inf_nan=False, description="Seconds to wait for the task's end before responding"),
    ] = None,
    result: Annotated[bool, Query(description="Whether the response has the result")] = True,
    queue: Annotated[
        bool, Query(description="Whether the response has the position of a waiting task in the queue")
    ] = False,
    shape: Annotated[ResultShape | None, Query(include_in_schema=False)] = None,
) -> TaskView | Response:
    """Read a task: its status, its whole history, and its result or the reason why it failed. With `wait` the response
    comes once the task has ended, or after that many seconds. With `?shape=plain` it is what clients of older services
    read, see docs/compatibility.md; this document describes the shape of the service."""
    require_known_parameters(request, "wait", "result", "queue", "shape")
    require_wait(request, wait or 0)
    seconds: float | None = preferred_wait(request) if wait is None else wait
    if seconds is None:
        task = await stored_task(request, task_id)
    else:
        task = await ended_task(request, task_id, seconds)
    if seconds is not None and wait is None:
        response.headers[APPLIED] = f"wait={seconds:g}"
    waiting = queue and task.status is TaskStatus.PENDING
    position = await services_of(request).catalogue.queue_position(task.task_id) if waiting else None
    headers = dict(response.headers)
    if (shape or shape_of(request)) is ResultShape.PLAIN:
        return await plain_response(request, task, headers=headers, with_result=result, position=position)
    if result and task.omitted_result_bytes is not None:
        return await task_response(request, task, headers=headers)
    return view_task(task, with_result=result, position=position)


@router.post(
    "/{task_id}/cancel",
    operation_id="cancel_task",
    response_model_exclude_none=True,
    responses=problem_responses("task_not_found", "task_ended", "invalid_request", "database_unavailable"),
)
async def cancel_task(task_id: UUID, request: Request) -> TaskView:
    """Cancel a task that has not ended. A running simulation stops within two seconds."""
    try:
        await services_of(request).cancel(TaskId(task_id), actor_of(request))
    except TaskEnded as error:
        raise HTTPProblem(
            error.code, f"Task {task_id} has ended: it is {error.status}.", task_status=error.status
        ) from error
    except TaskNotFound as error:
        raise not_found(task_id) from error
    return view_task(await stored_task(request, task_id))


async def _submit_and_wait(request: Request, submission: Submission, seconds: float) -> tuple[Accepted, Task | None]:
    """Submit a program and wait; the task is None if it has not ended in time, or if waiting failed."""
    services = services_of(request)
    task_id = submission.task_id
    # The task is watched before it is stored, so its end cannot be missed, and it need not be read before.
    with services.watch.watching(task_id, end_only=True) as watcher:
        accepted = await services.submit(submission)
        try:
            if accepted.repeated:
                task: Task | None = await ended_task(request, accepted.task_id, seconds)
            else:
                task = await wait_for_end(request, task_id, watcher, seconds) or await stored_task(request, task_id)
        except (ServiceUnavailable, HTTPProblem):
            task = None
    return accepted, task if task is not None and task.status.terminal else None
