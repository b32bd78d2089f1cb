"""The event stream of one task, `GET /tasks/{id}/events`: server-sent events.

Source: WHATWG HTML, section 9.2 "Server-sent events".
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Request, Response, status
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.types import Send

from ketline.api.openapi import problem_responses
from ketline.api.responses.errors import HEAD_KEY
from ketline.api.services import services_of
from ketline.api.tasks.rights_end import can_end, wait_for_end_of_rights
from ketline.api.tasks.stored import not_found
from ketline.api.tasks.views import view_change
from ketline.domain.errors import ServiceUnavailable, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.tasks.task import StatusChange
from ketline.ports.tasks.repositories import TaskReader
from ketline.schemas.tasks import StatusEvent
from ketline.service.tasks.watch import Watch, Watcher

router = APIRouter(prefix="/tasks", tags=["tasks"])
log = structlog.get_logger()

PING_SECONDS = 15.0
RETRY_SECONDS = 1.0
# How long a client waits before it reopens a broken stream.
RECONNECT_MILLISECONDS = 1000
MAX_LINE = 2**63 - 1

MEDIA_TYPE = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EXAMPLE = (
    'id: 812\nevent: status\ndata: {"task_id":"0f8b6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b","status":"pending",'
    '"transitioned_at":"2026-01-02T03:04:05.678901Z","notes":"Task created and queued"}\n\n'
)


@router.get(
    "/{task_id}/events",
    operation_id="follow_task",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One event for each change of the task's status",
            "content": {"text/event-stream": {"example": EXAMPLE}},
        },
        204: {"description": "The task has ended, and every event was received"},
        **problem_responses("task_not_found", "invalid_request", "database_unavailable"),
    },
)
async def follow_task(
    task_id: UUID,
    request: Request,
    last_event_id: Annotated[int, Header(ge=0, le=MAX_LINE, description="Continue after this event")] = 0,
) -> Response:
    """Follow a task: its history so far, then each change as it happens, until it has ended."""
    services = services_of(request)
    position = StreamPosition(services.reader, services.watch, TaskId(task_id), last_event_id)
    try:
        first = await position.read()
    except TaskNotFound as error:
        raise not_found(task_id) from error
    if position.ended and not first:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    return stream_response(request, position.events(first))


class StreamPosition:
    """One client's position in the history of a task; `ended` is True once no more changes can follow."""

    def __init__(
        self,
        repository: TaskReader,
        watch: Watch,
        task_id: TaskId,
        after: int,
        *,
        ping_seconds: float = PING_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._ping_seconds = ping_seconds
        self._retry_seconds = retry_seconds
        self._repository = repository
        self._watch = watch
        self._task_id = task_id
        self._after = after
        self.ended = False

    async def read(self) -> Sequence[StatusChange]:
        """Read the new changes.

        Raises:
            TaskNotFound: no task has this id; it may have been deleted.
            DatabaseUnavailable: the changes could not be read.
        """
        lines = await self._repository.history(self._task_id, self._after)
        if not lines and await self._has_ended():
            # It may have ended between the two reads; after this read nothing can follow.
            lines = await self._repository.history(self._task_id, self._after)
            self.ended = True
        if lines:
            self._after = lines[-1].line_id
            self.ended = lines[-1].status.terminal
        return lines

    async def _has_ended(self) -> bool:
        status = (await self._repository.statuses([self._task_id])).get(self._task_id)
        return status is None or status[0].terminal

    async def events(self, lines: Sequence[StatusChange]) -> AsyncIterator[bytes]:
        """Yield the encoded stream, beginning with these changes."""
        yield reconnect_hint()
        with self._watch.watching(self._task_id) as watcher:
            for line in lines:
                yield write_event(self._task_id, line)
            watcher.wake()  # Something may have changed between the first read and this context.
            while not self.ended and not self._watch.closed:
                if not await changed_in_time(watcher, self._ping_seconds):
                    yield KEEPALIVE_COMMENT
                    continue
                try:
                    for line in await self.read():
                        yield write_event(self._task_id, line)
                except TaskNotFound:
                    return
                except ServiceUnavailable as error:
                    log.debug("events.delayed", code=error.code)
                    await asyncio.sleep(self._retry_seconds)
                    yield KEEPALIVE_COMMENT
                    watcher.wake()


def stream_response(request: Request, events: AsyncIterator[bytes]) -> Response:
    """The streaming response; for a HEAD request only its headers, because the stream would not end."""
    if request.scope.get(HEAD_KEY):
        return Response(media_type=MEDIA_TYPE, headers=STREAM_HEADERS)
    return EventStream(request, events)


class EventStream(StreamingResponse):
    """A stream of events, which ends when the rights of the request's sender do."""

    def __init__(self, request: Request, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers=STREAM_HEADERS)
        self._request = request

    async def stream_response(self, send: Send) -> None:
        if not can_end(self._request):
            await super().stream_response(send)
            return
        ending = asyncio.create_task(wait_for_end_of_rights(self._request))
        try:
            await self._stream_until(ending, send)
        finally:
            ending.cancel()
            await asyncio.wait([ending])

    async def _stream_until(self, ending: asyncio.Task[None], send: Send) -> None:
        def stop(_: object) -> None:
            limit.reschedule(0)

        try:
            async with asyncio.timeout(None) as limit:
                ending.add_done_callback(stop)
                try:
                    await super().stream_response(send)
                finally:
                    ending.remove_done_callback(stop)
        except TimeoutError:
            log.info("events.rights_ended")
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def reconnect_hint() -> bytes:
    """The beginning of a stream: how long the client should wait before it reopens a broken stream."""
    return f"retry: {RECONNECT_MILLISECONDS}\n\n".encode()


async def changed_in_time(watcher: Watcher, ping_seconds: float) -> bool:
    """Wait for a change; return False when it is time for a ping."""
    try:
        async with asyncio.timeout(ping_seconds):
            await watcher.wait()
    except TimeoutError:
        return False
    return True


def write_event(task_id: TaskId, line: StatusChange) -> bytes:
    """Encode a change of status as an event."""
    data = StatusEvent(task_id=task_id, **view_change(line).model_dump())
    return format_sse_event(event="status", id=str(line.line_id), data_str=data.model_dump_json(exclude_none=True))
