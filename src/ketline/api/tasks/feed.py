"""The event stream of many tasks, `GET /tasks/events`: the changes of all tasks, or of those with some tags."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.services import principal_of, services_of
from ketline.api.tasks.broadcast import StreamStart, encode_line
from ketline.api.tasks.events import EXAMPLE, MAX_LINE, reconnect_hint, stream_response
from ketline.api.tasks.publisher import Broadcasts
from ketline.domain.access.principals import ProjectName
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.limits import MAX_TAGS
from ketline.schemas.labels import Tag

router = APIRouter(prefix="/tasks", tags=["tasks"])
log = structlog.get_logger()


@router.get(
    "/events",
    operation_id="follow_tasks",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One event for each change of such a task, without end",
            "content": {"text/event-stream": {"example": EXAMPLE}},
        },
        **problem_responses("invalid_request", "database_unavailable"),
    },
)
async def follow_tasks(
    request: Request,
    tag: Annotated[
        list[Tag] | None, Query(max_length=MAX_TAGS, description="Only tasks that have all of these tags")
    ] = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=MAX_LINE, description="Continue after this event; default: begin now")
    ] = None,
) -> Response:
    """Follow the changes of all tasks, or of those with the given tags, from now on. A continued stream may repeat
    events; a repeated event has the same id."""
    require_known_parameters(request, "tag")
    broadcasts = _broadcasts_of(request)
    start = await broadcasts.end(tag or ()) if last_event_id is None else StreamStart(last_event_id, continued=True)
    return stream_response(request, events(broadcasts, tag or (), start))


def _broadcasts_of(request: Request) -> Broadcasts:
    """The broadcasts of the sender's project in this process."""
    by_project: dict[ProjectName, Broadcasts] = request.app.state.broadcasts
    project, services = principal_of(request).project, services_of(request)
    return by_project.setdefault(project, Broadcasts(services.catalogue, services.watch))


async def events(broadcasts: Broadcasts, tags: Sequence[str], start: StreamStart) -> AsyncGenerator[bytes, None]:
    """Yield the encoded stream, until the process stops or the client is too far behind."""
    yield reconnect_hint()
    async with broadcasts.listening(tags, start) as (broadcast, position, missed):
        while missed is not None:
            try:
                if lines := await missed.read():
                    yield b"".join(map(encode_line, lines))
                else:
                    missed = None
            except ServiceUnavailable as error:
                log.debug("events.delayed", code=error.code)
                await asyncio.sleep(broadcasts.options.retry_seconds)
                yield KEEPALIVE_COMMENT
        async for batch in broadcast.batches(position):
            yield batch
