"""Tell a client of the changes of many tasks as they happen: one stream of server-sent events for a tag, or for all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from ketline.api.events import EXAMPLE, LARGEST_LINE, reconnect_hint, streamed, told, write_event
from ketline.api.openapi import problem_responses
from ketline.api.parameters import refuse_unknown_parameters
from ketline.api.services import services_of
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.task import TaskLine
from ketline.ports.catalogue import TaskCatalogue
from ketline.schemas.labels import MOST_TAGS, Tag
from ketline.service.watching import Watch

router = APIRouter(prefix="/tasks", tags=["tasks"])
log = structlog.get_logger()

# Changes that come together are read together.
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0
LINES_AT_ONCE = 500
# More than can still be given a second time.
REMEMBERED = 2000


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
    refuse_unknown_parameters(request, "tag")
    services = services_of(request)
    after = await services.catalogue.last_line() if last_event_id is None else last_event_id
    feed = Feed(services.catalogue, services.watch, tag or (), after)
    return streamed(request, feed.events())


class Feed:
    """One client's place among the changes of all tasks."""

    def __init__(self, catalogue: TaskCatalogue, watch: Watch, tags: Sequence[str], after: int) -> None:
        self._catalogue = catalogue
        self._watch = watch
        self._tags = tags
        self._after = after
        self._seen = {after: None}

    async def events(self) -> AsyncIterator[bytes]:
        """The stream, until the process stops."""
        yield reconnect_hint()
        with self._watch.watching_all() as watcher:
            watcher.tell()  # Something may have changed since the place was found.
            while not self._watch.closed:
                if not await told(watcher):
                    yield KEEPALIVE_COMMENT
                    continue
                await asyncio.sleep(GATHER_SECONDS)
                try:
                    while lines := await self._look():
                        for line in lines:
                            yield write_event(line.task_id, line.change)
                except ServiceUnavailable as error:
                    log.debug("events.delayed", code=error.code)
                    await asyncio.sleep(RETRY_SECONDS)
                    yield KEEPALIVE_COMMENT
                    watcher.tell()

    async def _look(self) -> Sequence[TaskLine]:
        found = await self._catalogue.lines(self._tags, after=self._after, limit=LINES_AT_ONCE)
        new = [line for line in found if line.change.line_id not in self._seen]
        self._seen |= dict.fromkeys(line.change.line_id for line in new)
        self._after = max(self._seen)
        for line_id in sorted(self._seen)[:-REMEMBERED]:
            del self._seen[line_id]
        return new
