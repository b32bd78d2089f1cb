"""Tell a client of the changes of many tasks as they happen: one stream of server-sent events for a tag, or for all."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.tasks.broadcast import Broadcasts, Place, write_lines
from ketline.api.tasks.events import EXAMPLE, LARGEST_LINE, reconnect_hint, streamed
from ketline.domain.errors import ServiceUnavailable
from ketline.schemas.labels import MOST_TAGS, Tag

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
        list[Tag] | None, Query(max_length=MOST_TAGS, description="Only tasks that have this tag, and all of them")
    ] = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=LARGEST_LINE, description="Continue after this event, rather than from now on")
    ] = None,
) -> Response:
    """Follow the changes of all tasks with the given tags, or of all there are, from now on. An event may come twice
    when a stream is continued; its id tells."""
    require_known_parameters(request, "tag")
    broadcasts: Broadcasts = request.app.state.broadcasts
    place = await broadcasts.end(tag or ()) if last_event_id is None else Place(last_event_id, continued=True)
    return streamed(request, events(broadcasts, tag or (), place))


async def events(broadcasts: Broadcasts, tags: Sequence[str], place: Place) -> AsyncGenerator[bytes, None]:
    """The stream from this place on, until the process stops or the client is too far behind."""
    yield reconnect_hint()
    async with broadcasts.listening(tags, place) as (broadcast, position, missed):
        while missed is not None:
            try:
                if lines := await missed.read():
                    yield write_lines(lines)
                else:
                    missed = None
            except ServiceUnavailable as error:
                log.debug("events.delayed", code=error.code)
                await asyncio.sleep(broadcasts.options.retry_seconds)
                yield KEEPALIVE_COMMENT
        async for batch in broadcast.batches(position):
            yield batch
