"""Reads stored tasks and their results for routes and pages; large results are read one at a time and streamed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
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
from ketline.domain.ids import TaskId
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.task import Task

# Size in the database up to which results are read at once; larger ones are read by one request at a time.
MAX_AT_ONCE_BYTES = 256 * 1024


async def stored_task(request: Request, task_id: UUID) -> Task:
    """Read a task, without its result if that is large.

    Raises:
        HTTPProblem: no task has this id.
        DatabaseUnavailable: the task could not be read.
    """
    try:
        return await services_of(request).reader.get(TaskId(task_id), MAX_AT_ONCE_BYTES)
    except TaskNotFound as error:
        raise not_found(task_id) from error


@asynccontextmanager
async def with_result(request: Request, task_id: UUID) -> AsyncIterator[Task]:
    """Read a task with its result; of large results only one is in memory at a time.

    The caller must finish with the result, or compress what it needs, before the context ends.

    Raises:
        HTTPProblem: no task has this id.
        DatabaseUnavailable: the task could not be read.
    """
    task = await stored_task(request, task_id)
    if task.omitted_result_bytes is None:
        yield task
        return
    async with large_results(request).turn:
        yield await whole_task(request, task.task_id)


async def whole_task(request: Request, task_id: TaskId) -> Task:
    """Read a task with its result, however large that is; the caller holds the turn of `large_results`.

    Raises:
        HTTPProblem: no task has this id.
        DatabaseUnavailable: the task could not be read.
    """
    try:
        return await services_of(request).reader.get(task_id)
    except TaskNotFound as error:
        raise not_found(task_id) from error


class EncodedResult(NamedTuple):
    """The encoded body of a result, and headers that depend on it."""

    body: bytes
    headers: Mapping[str, str] = {}


async def result_response(
    request: Request, task_id: UUID, media_type: str, write: Callable[[Task], Awaitable[EncodedResult]]
) -> Response:
    """The response with the body that `write` encodes from a task with its result.

    Large results are read and encoded by one request at a time; requests that wait for the same body share it.

    Raises:
        HTTPProblem: no task has this id, or the requested range does not exist.
        DatabaseUnavailable: the task could not be read.
    """
    task = await stored_task(request, task_id)
    if task.omitted_result_bytes is None:
        body, headers = await write(task)
        return await represented(request, body, media_type, headers)

    async def make() -> Packed:
        encoded = await write(await whole_task(request, task.task_id))
        return await asyncio.to_thread(pack, [encoded.body], encoded.headers)

    # A result does not change once the task has completed: the same request has the same body.
    key = f"{request.url.path}?{request.url.query} {media_type} {task.completed_at}"
    return await represented_packed(request, await large_results(request).packed(key, make), media_type)


async def text_response(
    request: Request,
    task_id: UUID,
    media_type: str,
    write: Callable[[Task], Iterable[str | bytes]],
    write_text: Callable[[str], Iterable[str | bytes]],
) -> Response:
    """As `result_response`, where a large result is not decoded: `write_text` makes the body of its text.

    Both are called in a thread.

    Raises:
        HTTPProblem: no task has this id, or the requested range does not exist.
        DatabaseUnavailable: the task could not be read.
    """
    task = await stored_task(request, task_id)
    if task.omitted_result_bytes is None:
        parts = await asyncio.to_thread(lambda: list(write(task)))
        body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
        return await represented(request, body, media_type)

    async def make() -> Packed:
        text = await services_of(request).reader.result_text(task.task_id)
        return await asyncio.to_thread(lambda: pack(write_text(text)))

    key = f"{request.url.path}?{request.url.query} {media_type} {task.completed_at}"
    return await represented_packed(request, await large_results(request).packed(key, make), media_type)


def large_results(request: Request) -> LargeResults:
    """The large results of this process, of which one is read at a time."""
    found: LargeResults = request.app.state.large_results
    return found


async def task_response(
    request: Request, task: Task, *, headers: Mapping[str, str], position: QueuePosition | None = None
) -> Response:
    """The response with a task and its result; a large result is copied as text, without decoding it."""
    view = view_task(task, position=position).model_dump_json(exclude_none=True)
    if task.omitted_result_bytes is None:
        return Response(view, 200, dict(headers), JSON)
    sent = {**headers, "Vary": "Accept-Encoding"}

    async def make() -> Packed:
        try:
            text = await services_of(request).reader.result_text(task.task_id)
        except TaskNotFound as error:
            raise not_found(task.task_id) from error
        # The view is a JSON object without a result, which is inserted before its closing brace.
        return await asyncio.to_thread(pack, (view[:-1], ',"result":', text, "}"))

    packed = await large_results(request).packed(view, make)
    return unpacked_response(packed, JSON, sent, compressed=takes_gzip(request))


def not_found(task_id: UUID) -> HTTPProblem:
    """The problem for an unknown task id."""
    return HTTPProblem(TaskNotFound.code, f"Task {task_id} was not found.")
