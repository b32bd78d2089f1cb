"""Hold a request open until its task has ended, the time is up, the process stops or the client goes away."""

import asyncio
import re
import time
from collections.abc import Awaitable
from contextlib import suppress
from uuid import UUID

from fastapi import Request

from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import options_of, services_of
from ketline.api.tasks.stored import stored_task
from ketline.domain.task import Task, TaskId
from ketline.service.tasks.watch import Watcher

# Source: RFC 7240, section 4.3; a delta-seconds value.
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)

APPLIED = "Preference-Applied"
PREFER_HEADER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=30`: wait so many seconds for the task's end before answering (RFC 7240)",
    "schema": {"type": "string"},
}
APPLIED_HEADERS = {
    APPLIED: {"description": "The wait that was kept to, if one was preferred", "schema": {"type": "string"}}
}


def preferred_wait(request: Request) -> int | None:
    """The seconds asked for by `Prefer: wait`, cut to the longest wait there is; what cannot be read is ignored."""
    asked = _WAIT.search(",".join(request.headers.getlist("prefer")))
    return None if asked is None else min(int(asked[1]), int(options_of(request).max_wait_seconds))


def require_wait(request: Request, seconds: float) -> None:
    """Return when this process waits so long.

    Raises:
        Refusal: it does not.
    """
    most = options_of(request).max_wait_seconds
    if seconds > most:
        raise invalid_request([{"type": "over_limit", "loc": ("query", "wait"), "msg": f"must be at most {most:g}"}])


async def ended_task(request: Request, task_id: UUID, seconds: float) -> Task:
    """The task once it has ended, or as it stands after `seconds`; sooner where nobody waits for the answer any more.

    Raises:
        Refusal: no task has this id, or has it any more.
        DatabaseUnavailable: it could not be read.
    """
    with services_of(request).watch.watching(TaskId(task_id), end_only=True) as watcher:
        task = await stored_task(request, task_id)
        if task.status.terminal or seconds <= 0:
            return task
        return await told_end(request, task_id, watcher, seconds) or await stored_task(request, task_id)


async def told_end(request: Request, task_id: UUID, watcher: Watcher, seconds: float) -> Task | None:
    """The task once its watcher is told that it has ended; None after `seconds`, or where nobody waits any more.

    It raises as `ended_task` does.
    """
    watch = services_of(request).watch
    deadline = time.monotonic() + seconds
    while not watch.closed and (left := deadline - time.monotonic()) > 0:
        if not await _in_time(watcher.wait(), request, left):
            break
        task = await stored_task(request, task_id)
        if task.status.terminal:
            return task
    return None


async def _in_time(change: Awaitable[None], request: Request, seconds: float) -> bool:
    """Whether the change comes before the time is up and the client is gone."""
    changing = asyncio.ensure_future(change)
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([changing, leaving], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return changing.done()
    finally:
        changing.cancel()
        leaving.cancel()
        await asyncio.wait([changing, leaving])


async def _gone(request: Request) -> None:
    with suppress(HTTPProblem):  # a body that was announced, and not read, did not come: the connection is closed
        while (await request.receive())["type"] != "http.disconnect":
            pass
