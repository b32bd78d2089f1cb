"""The route that reads many ended tasks, `POST /tasks/ended`, and can wait until all or any of them have ended."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ketline.api.openapi import body_of, problem_responses
from ketline.api.responses.compression import pack, unpacked_response
from ketline.api.responses.formats import JSON
from ketline.api.responses.representation import MIN_PACKED_BYTES, takes_gzip
from ketline.api.services import services_of
from ketline.api.tasks.long_poll import APPLIED, APPLIED_HEADERS, PREFER_HEADER, in_time, preferred_wait
from ketline.api.tasks.submission import read_body
from ketline.api.tasks.views import view_failure, view_profile
from ketline.domain.ids import TaskId
from ketline.domain.tasks.lists import EndedTask, EndedTasks
from ketline.schemas.tasks import EndedRequest, EndedTasksView, EndedTaskView
from ketline.service.tasks.watch import Watcher

router = APIRouter(prefix="/tasks", tags=["tasks"])

# The most bytes of stored results in one response.
_MAX_RESULT_BYTES = 4 << 20
# How long more ends are gathered after the first; 0.2 s for as many tasks as a request can have.
_GATHER_SECONDS_PER_TASK = 0.0002


@router.post(
    "/ended",
    operation_id="read_ended_tasks",
    response_model=EndedTasksView,
    response_model_exclude_none=True,
    responses={
        200: {"headers": APPLIED_HEADERS},
        **problem_responses(
            "body_too_large", "unsupported_media_type", "invalid_request", "invalid_json", "database_unavailable"
        ),
    },
    openapi_extra={
        "requestBody": body_of(EndedRequest, {"task_ids": ["0199a1b2-0000-7000-8000-000000000001"]}),
        "parameters": [PREFER_HEADER],
    },
)
async def read_ended_tasks(request: Request) -> Response:
    """Read those of up to 1,000 tasks that have ended. With `Prefer: wait=30` the response comes once all of them have
    ended, with `"until": "any"` once any has, or after that many seconds."""
    requested = await read_body(request, EndedRequest)
    task_ids = [TaskId(task_id) for task_id in dict.fromkeys(requested.task_ids)]
    headers: dict[str, str] = {}
    if (seconds := preferred_wait(request)) is None:
        found = await _ended(request, task_ids)
    else:
        headers[APPLIED] = f"wait={seconds}"
        when_ended = _when_all_ended if requested.until == "all" else _when_any_ended
        found = await when_ended(request, task_ids, seconds)
    known = {*(task.task_id for task in found.tasks), *found.unread, *found.running}
    text = ",".join(
        [
            f'{{"tasks":[{",".join(map(_write, found.tasks))}]',
            f'"running":{_write_ids(found.running)}',
            f'"unread":{_write_ids(found.unread)}',
            f'"missing":{_write_ids([task_id for task_id in task_ids if task_id not in known])}}}',
        ]
    )
    return await _response(request, text.encode(), headers)


async def _response(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """The response with this body; a large one is kept compressed while the client reads it."""
    if len(body) < MIN_PACKED_BYTES:
        return Response(body, headers=headers, media_type=JSON)
    packed = await asyncio.to_thread(pack, [body])
    headers["Vary"] = "Accept-Encoding"
    return unpacked_response(packed, JSON, headers, compressed=takes_gzip(request))


async def _ended(request: Request, task_ids: Sequence[TaskId]) -> EndedTasks:
    return await services_of(request).catalogue.ended(task_ids, _MAX_RESULT_BYTES)


async def _when_all_ended(request: Request, task_ids: Sequence[TaskId], seconds: float) -> EndedTasks:
    """Wait until all tasks have ended, at most for `seconds`; ends early if the client disconnects."""
    services = services_of(request)
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        watchers = {
            task_id: stack.enter_context(services.watch.watching(task_id, end_only=True)) for task_id in task_ids
        }
        found = await _ended(request, task_ids)
        while found.running and await _wake_in_time(request, [watchers[one] for one in found.running], deadline):
            found = await _ended(request, task_ids)
    return found


async def _when_any_ended(request: Request, task_ids: Sequence[TaskId], seconds: float) -> EndedTasks:
    """Wait until some tasks have ended, at most for `seconds`; ends early if the client disconnects."""
    deadline = time.monotonic() + seconds
    with services_of(request).watch.watching_any(task_ids, end_only=True) as watcher:
        found = await _ended(request, task_ids)
        while len(found.running) == len(task_ids) and await _wake_in_time(request, [watcher], deadline):
            # Others may end within this time; a request for many tasks is repeated often.
            await asyncio.sleep(_GATHER_SECONDS_PER_TASK * (len(task_ids) - 1))
            found = await _ended(request, task_ids)
    return found


async def _wake_in_time(request: Request, watchers: Sequence[Watcher], deadline: float) -> bool:
    """Wait until all watchers were woken; False if the time is over, the service stops or the client disconnects."""
    left = deadline - time.monotonic()
    return left > 0 and not services_of(request).watch.closed and await in_time(watchers, request, left)


def _write(task: EndedTask) -> str:
    """The JSON of a task; its result is copied as text, without decoding it."""
    view = EndedTaskView(
        task_id=task.task_id,
        status=task.status,
        submitted_at=task.submitted_at,
        completed_at=task.completed_at,
        shots=task.shots,
        seed=task.seed,
        correlation_id=task.correlation_id,
        error=view_failure(task.failure),
        profile=view_profile(task.profile),
    ).model_dump_json(exclude_none=True)
    return view if task.result is None else f'{view[:-1]},"result":{task.result}}}'


def _write_ids(task_ids: Sequence[UUID]) -> str:
    return "[" + ",".join([f'"{task_id}"' for task_id in task_ids]) + "]"
