"""Find the task that a request is about, and show it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from fastapi import Request, Response

from ketline.api.responses.compression import LargeResults, Packed, pack, unpacked_response
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.formats import JSON
from ketline.api.responses.representation import represented, represented_packed, takes_gzip
from ketline.api.services import services_of
from ketline.api.tasks.views import view_task
from ketline.domain.errors import TaskNotFound
from ketline.domain.priority import QueuePosition
from ketline.domain.task import Task, TaskId

# As it takes in the database. What is larger is read by one request at a time, and streamed.
LARGEST_AT_ONCE_BYTES = 256 * 1024


async def stored_task(request: Request, task_id: UUID) -> Task:
    """The task as it stands, without its result where that is large.

    Raises:
        Refusal: no task has this id.
        DatabaseUnavailable: it could not be read.
    """
    try:
        return await services_of(request).reader.get(TaskId(task_id), LARGEST_AT_ONCE_BYTES)
    except TaskNotFound as error:
        raise not_found(task_id) from error


@asynccontextmanager
async def with_result(request: Request, task_id: UUID) -> AsyncIterator[Task]:
    """The task as it stands, also with a large result; of those one at a time is read and written.

    What is made of it is to be small, or packed, before the context ends.

    Raises:
        Refusal: no task has this id.
        DatabaseUnavailable: it could not be read.
    """
    task = await stored_task(request, task_id)
    if task.omitted_result_bytes is None:
        yield task
        return
    async with large_results(request).turn:
        yield await _whole_task(request, task.task_id)


async def _whole_task(request: Request, task_id: TaskId) -> Task:
    try:
        return await services_of(request).reader.get(task_id)
    except TaskNotFound as error:
        raise not_found(task_id) from error


class Written(NamedTuple):
    """A body made of a result, and the headers that depend on it."""

    body: bytes
    headers: Mapping[str, str] = {}


async def result_response(
    request: Request, task_id: UUID, media_type: str, write: Callable[[Task], Awaitable[Written]]
) -> Response:
    """An answer of what is written of a task with its result.

    A large result is read and written by one request at a time; those that wait for the same body share it.

    Raises:
        Refusal: no task has this id, or the range that is asked for is not there.
        DatabaseUnavailable: it could not be read.
    """
    task = await stored_task(request, task_id)
    if task.omitted_result_bytes is None:
        body, headers = await write(task)
        return await represented(request, body, media_type, headers)

    async def make() -> Packed:
        written = await write(await _whole_task(request, task.task_id))
        return await asyncio.to_thread(pack, [written.body], written.headers)

    # A result does not change once the task has completed: the same request has the same body.
    key = f"{request.url.path}?{request.url.query} {media_type} {task.completed_at}"
    return await represented_packed(request, await large_results(request).packed(key, make), media_type)


def large_results(request: Request) -> LargeResults:
    found: LargeResults = request.app.state.large_results
    return found


async def task_response(
    request: Request, task: Task, *, headers: Mapping[str, str], place: QueuePosition | None = None
) -> Response:
    """An answer that shows a task with its result, which is never decoded where it is large."""
    view = view_task(task, place=place).model_dump_json(exclude_none=True)
    if task.omitted_result_bytes is None:
        return Response(view, 200, dict(headers), JSON)
    sent = {**headers, "Vary": "Accept-Encoding"}

    async def make() -> Packed:
        try:
            text = await services_of(request).reader.result_text(task.task_id)
        except TaskNotFound as error:
            raise not_found(task.task_id) from error
        # The view is an object without a result: it is put in before the brace at its end.
        return await asyncio.to_thread(pack, (view[:-1], ',"result":', text, "}"))

    packed = await large_results(request).packed(view, make)
    return unpacked_response(packed, JSON, sent, compressed=takes_gzip(request))


def not_found(task_id: UUID) -> HTTPProblem:
    return HTTPProblem(TaskNotFound.code, f"Task {task_id} was not found.")
