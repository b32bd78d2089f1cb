"""The routes that change a stored task, release it, delete it, or run its program again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response, status
from pydantic import ValidationError

from ketline.api.openapi import ACCEPTED_HEADERS, REPLAYED, SUBMIT_HEADERS, body_of, problem_responses
from ketline.api.requests.body import parse_body, read_body
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import MAX_LISTED, invalid_body
from ketline.api.services import actor_of, correlation_id_of, options_of, principal_of, services_of
from ketline.api.tasks.stored import stored_task, task_response
from ketline.api.tasks.submission import key_of, read_trace_context, require_within_limits
from ketline.api.tasks.views import view_accepted
from ketline.domain.errors import TaskEnded, TaskNotEnded, TaskNotFound, TaskNotHeld, TaskNotPending
from ketline.domain.ids import TaskId
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.lists import Changeable, TaskChange
from ketline.domain.tasks.spec import TaskSpec
from ketline.schemas.lists import ChangeRequest, RerunRequest
from ketline.schemas.problems import FieldError
from ketline.schemas.submissions import SubmitRequest, TaskAccepted
from ketline.schemas.tasks import TaskView

router = APIRouter(prefix="/tasks", tags=["tasks"])

_BODY_CODES = ("body_too_large", "unsupported_media_type", "invalid_request", "invalid_json", "database_unavailable")
_QUOTAS = ("quota_exceeded", "quota_exhausted")
# Fields of a task that a client cannot change.
_READ_ONLY = (set(TaskView.model_fields) | set(SubmitRequest.model_fields) | {"attempt", "worker_id"}) - set(Changeable)


@router.patch(
    "/{task_id}",
    operation_id="change_task",
    response_model=TaskView,
    response_model_exclude_none=True,
    responses=problem_responses(
        "task_not_found", "task_not_pending", "field_read_only", "quota_exceeded", *_BODY_CODES
    ),
    openapi_extra={"requestBody": body_of(ChangeRequest, {"tags": ["vqe", "final"]})},
)
async def change_task(task_id: UUID, request: Request) -> Response:
    """Change a task's name, tags and metadata at any time, its priority and the time it is scheduled for while it is
    pending."""
    body = await _read_change(request)
    change = TaskChange(
        fields=frozenset(Changeable(name) for name in body.model_fields_set),
        labels=Labels(name=body.name, tags=body.tags or (), metadata=body.metadata or {}),
        scheduled_for=body.scheduled_for,
        priority=body.priority or 0,
    )
    with _problems_of(task_id):
        await services_of(request).change(TaskId(task_id), change)
        task = await stored_task(request, task_id)
    return await task_response(request, task, headers={})


@router.post(
    "/{task_id}/enqueue",
    operation_id="enqueue_task",
    response_model=TaskView,
    response_model_exclude_none=True,
    responses=problem_responses(
        "task_not_found", "task_not_held", "task_ended", "invalid_request", "database_unavailable"
    ),
)
async def enqueue_task(task_id: UUID, request: Request) -> Response:
    """Release a task that was submitted with `hold`: it runs as if it were submitted now. Nothing happens when it was
    released before."""
    with _problems_of(task_id):
        await services_of(request).enqueue(TaskId(task_id))
        task = await stored_task(request, task_id)
    return await task_response(request, task, headers={})


@router.delete(
    "/{task_id}",
    operation_id="delete_task",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses("task_not_found", "task_not_ended", "invalid_request", "database_unavailable"),
)
async def delete_task(task_id: UUID, request: Request) -> None:
    """Delete a task that has ended, with its result and its history. This cannot be undone."""
    with _problems_of(task_id):
        await services_of(request).catalogue.delete(TaskId(task_id), actor_of(request))


@router.post(
    "/{task_id}/rerun",
    operation_id="rerun_task",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        202: {"headers": ACCEPTED_HEADERS},
        **problem_responses("task_not_found", "idempotency_key_reused", "backlog_full", *_QUOTAS, *_BODY_CODES),
    },
    openapi_extra={"requestBody": body_of(RerunRequest, {"seed": "new"}, required=False), "parameters": SUBMIT_HEADERS},
)
async def rerun_task(task_id: UUID, request: Request, response: Response) -> TaskAccepted:
    """Run the program of a task once more, as a new task with the same options and labels. The body may be left out;
    then the seed is the same too, and so, with the same versions, are the counts."""
    body = await read_body(request, RerunRequest, optional=True)
    with _problems_of(task_id):
        accepted = await services_of(request).rerun(
            TaskId(task_id),
            correlation_id=correlation_id_of(request),
            permit=lambda spec: require_permitted(request, spec),
            seed=body.seed if isinstance(body.seed, int) else None,
            new_seed=body.seed == "new",
            shots=body.shots,
            trace_context=read_trace_context(request),
            idempotency_key=key_of(request, lambda: ["rerun", str(task_id), str(body.seed), body.shots]),
            owner=principal_of(request).owner,
        )
    if accepted.repeated:
        response.headers[REPLAYED] = "true"
    response.headers["Location"] = f"/tasks/{accepted.task_id}"
    return view_accepted(accepted)


def require_permitted(request: Request, spec: TaskSpec) -> None:
    """Check the spec of a rerun, because limits may have been lowered since the original was submitted.

    Raises:
        HTTPProblem: the spec exceeds a limit.
    """
    most = spec.max_attempts
    requested = {
        "shots": spec.shots,
        "timeout_s": spec.time_limit_seconds,
        # The default applies to tasks without a value, even above the limit.
        "max_attempts": most if most and most > services_of(request).submit.max_attempts else None,
    }
    require_within_limits(requested, spec.kind, options_of(request))


@contextmanager
def _problems_of(task_id: UUID) -> Iterator[None]:
    """Around a change: converts its errors to problems with the task's id and status."""
    try:
        yield
    except TaskNotFound as error:
        raise HTTPProblem(error.code, f"Task {task_id} was not found.") from error
    except (TaskNotPending, TaskNotHeld, TaskEnded, TaskNotEnded) as error:
        raise HTTPProblem(error.code, str(error), task_status=error.status) from error


async def _read_change(request: Request) -> ChangeRequest:
    try:
        return await parse_body(request, ChangeRequest)
    except ValidationError as error:
        raise _read_only_problem(error) or invalid_body(error) from error


def _read_only_problem(error: ValidationError) -> HTTPProblem | None:
    """The problem for a request that changes a read-only field, None for other errors."""
    if error.error_count() > MAX_LISTED:
        return None
    found: list[Any] = error.errors(include_input=False, include_url=False)
    names = [
        str(fault["loc"][0]) for fault in found if fault["type"] == "extra_forbidden" and fault["loc"][0] in _READ_ONLY
    ]
    if not names:
        return None
    return HTTPProblem(
        "field_read_only",
        f"{', '.join(names)} cannot be changed; {', '.join(Changeable)} can.",
        errors=[FieldError(detail="cannot be changed", pointer=f"#/{name}") for name in names],
    )
