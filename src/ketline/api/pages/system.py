"""The system page for operators: health, statistics, workers and dead letters."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.responses import page, wants_part
from ketline.api.responses.errors import KINDS, HTTPProblem
from ketline.api.services import options_of, services_of
from ketline.domain.dead_letters import DeadLetters
from ketline.domain.errors import DatabaseUnavailable, QueueUnavailable
from ketline.domain.lists import TaskStatistics
from ketline.domain.worker import LiveWorker
from ketline.web.time_series import TimeSeries

router = APIRouter(include_in_schema=False)


@router.get("/ui/system")
async def show_system(request: Request) -> Response:
    """Show the page, or its live part for an open page; also while the database is down."""
    health = await services_of(request).health()
    statistics, workers = await _figures(request) if health.database_connected else (None, None)
    time_series: TimeSeries = request.app.state.time_series
    shown: dict[str, object] = {
        "health": health,
        "problem": KINDS.get(health.database_problem or ""),
        "stopping": options_of(request).stopping(),
        "statistics": statistics,
        "workers": workers,
        "point": None if statistics is None else time_series.add(statistics),
        "time_series": time_series,
        "backend": services_of(request).backend,
        "dead": await _dead_letters(request) if health.queue_connected else None,
    }
    return page(request, "system_live.html" if wants_part(request) else "system.html", shown)


@router.post("/ui/dead-letters/requeue")
async def requeue_dead_letters(request: Request) -> Response:
    """Requeue the readable dead letters; the page then shows the others."""
    try:
        await services_of(request).dead_letters.requeue()
    except QueueUnavailable as error:
        raise HTTPProblem(error.code) from error
    return RedirectResponse("../system", status_code=303)


async def _dead_letters(request: Request) -> DeadLetters | None:
    try:
        return await services_of(request).dead_letters.look()
    except QueueUnavailable:
        return None


async def _figures(request: Request) -> tuple[TaskStatistics | None, Sequence[LiveWorker] | None]:
    try:
        return await services_of(request).statistics(), await services_of(request).workers.live()
    except DatabaseUnavailable:
        return None, None
