"""Long polling for `?wait=` and `Prefer: wait=`: until the task or the time ends, or the client disconnects."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from fastapi import Request

from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import options_of, services_of
from ketline.api.tasks.rights_end import can_end, wait_for_end_of_rights
from ketline.api.tasks.stored import stored_task
from ketline.domain.errors import CredentialsInvalid
from ketline.domain.ids import TaskId
from ketline.domain.tasks.task import Task
from ketline.service.tasks.watch import Watcher

# Source: RFC 7240, section 4.3; a delta-seconds value.
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)

APPLIED = "Preference-Applied"
PREFER_HEADER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=30`: wait up to this many seconds for the task's end before responding (RFC 7240)",
    "schema": {"type": "string"},
}
APPLIED_HEADERS = {
    APPLIED: {"description": "The wait that was applied, if one was preferred", "schema": {"type": "string"}}
}


def preferred_wait(request: Request) -> int | None:
    """The seconds of `Prefer: wait`, at most the service's limit; None if the header is missing or malformed."""
    preferred = _WAIT.search(",".join(request.headers.getlist("prefer")))
    return None if preferred is None else min(int(preferred[1]), int(options_of(request).max_wait_seconds))


def require_wait(request: Request, seconds: float) -> None:
    """Check that a requested wait is within the service's limit.

    Raises:
        HTTPProblem: it is longer.
    """
    most = options_of(request).max_wait_seconds
    if seconds > most:
        raise invalid_request([{"type": "over_limit", "loc": ("query", "wait"), "msg": f"must be at most {most:g}"}])


async def ended_task(request: Request, task_id: UUID, seconds: float) -> Task:
    """Wait until the task has ended, at most for `seconds`, and return it; ends early if the client disconnects.

    Raises:
        HTTPProblem: no task has this id; it may have been deleted.
        DatabaseUnavailable: the task could not be read.
    """
    with services_of(request).watch.watching(TaskId(task_id), end_only=True) as watcher:
        task = await stored_task(request, task_id)
        if task.status.terminal or seconds <= 0:
            return task
        return await wait_for_end(request, task_id, watcher, seconds) or await stored_task(request, task_id)


async def wait_for_end(request: Request, task_id: UUID, watcher: Watcher, seconds: float) -> Task | None:
    """Wait until the watcher reports the end of the task, and return the task.

    Returns None after `seconds`, or if the client disconnects. Raises as `ended_task` does.
    """
    watch = services_of(request).watch
    deadline = time.monotonic() + seconds
    while not watch.closed and (left := deadline - time.monotonic()) > 0:
        if not await in_time([watcher], request, left):
            break
        task = await stored_task(request, task_id)
        if task.status.terminal:
            return task
    return None


async def in_time(watchers: Sequence[Watcher], request: Request, seconds: float) -> bool:
    """Wait until each watcher was woken; return False if the time ends or the client disconnects first.

    Raises:
        HTTPProblem: the rights of the sender have ended meanwhile.
    """

    def wake(_: object) -> None:
        for watcher in watchers:
            watcher.wake()

    async with _reasons_to_stop(request, wake) as reasons:
        try:
            async with asyncio.timeout(seconds):
                for watcher in watchers:
                    await watcher.wait()
        except TimeoutError:
            return False
        met = [reason for reason in reasons if reason.done()]
        for reason in met:
            reason.result()
        return not met


@asynccontextmanager
async def _reasons_to_stop(
    request: Request, wake: Callable[[object], None]
) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Tasks that end when the client no longer waits for the response, or no longer may; `wake` is called then."""
    reasons = [asyncio.create_task(_disconnected(request))]
    if can_end(request):
        reasons.append(asyncio.create_task(_require_rights(request)))
    for reason in reasons:
        reason.add_done_callback(wake)
    try:
        yield reasons
    finally:
        for reason in reasons:
            reason.remove_done_callback(wake)
            reason.cancel()
        await asyncio.wait(reasons)


async def _require_rights(request: Request) -> None:
    await wait_for_end_of_rights(request)
    raise HTTPProblem(CredentialsInvalid.code)


async def _disconnected(request: Request) -> None:
    with suppress(HTTPProblem):  # the announced body never came: the connection is closed
        while (await request.receive())["type"] != "http.disconnect":
            pass
