"""The system page for operators: health, statistics, workers and dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ketline.api.pages.history import history_shown, wants_history
from ketline.api.pages.responses import page, wants_part
from ketline.api.responses.errors import KINDS, HTTPProblem
from ketline.api.services import actor_of, options_of, principal_of, services_of
from ketline.domain.access.principals import Role
from ketline.domain.attempts.dead_letters import DeadLetters
from ketline.domain.attempts.worker import LiveWorker
from ketline.domain.errors import DatabaseUnavailable, QueueUnavailable
from ketline.domain.tasks.lists import QueueCounts, TaskStatistics
from ketline.domain.tasks.queues import SIMULATIONS
from ketline.service.health.dead_letters import CACHE_SECONDS
from ketline.web.time_series import TimeSeries

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue with its tasks and the number of workers that consume it."""

    name: str
    waiting: int
    processing: int
    workers: int


@router.get("/ui/system")
async def show_system(request: Request) -> Response:
    """Show the page, or its live part or the history for an open page; also while the database is down."""
    if wants_part(request) and wants_history(request):
        return page(request, "system_history.html", await history_shown(request))
    health = await services_of(request).operations.health()
    statistics, workers = await _figures(request) if health.database_connected else (None, None)
    # A page of one project shows nothing of another.
    time_series: TimeSeries = request.app.state.time_series[principal_of(request).project]
    shown: dict[str, object] = {
        "health": health,
        "problem": KINDS.get(health.database_problem or ""),
        "stopping": options_of(request).stopping(),
        "statistics": statistics,
        "workers": workers,
        "pauses": await services_of(request).operations.pauses.last_known() or (),
        "queues": _queues(statistics, workers or ()),
        "point": None if statistics is None else time_series.add(statistics),
        "time_series": time_series,
        "backend": services_of(request).backend,
        "dead_letters_seconds": round(CACHE_SECONDS),
        "dead": await _dead_letters(request) if health.queue_connected else None,
    }
    if wants_part(request):
        return page(request, "system_live.html", shown)
    return page(request, "system.html", {**shown, **await history_shown(request, readable=health.database_connected)})


@router.post("/ui/dead-letters/requeue")
async def requeue_dead_letters(request: Request) -> Response:
    """Requeue the readable dead letters; the page then shows the others."""
    try:
        await services_of(request).operations.dead_letters.requeue(actor_of(request))
    except QueueUnavailable as error:
        raise HTTPProblem(error.code) from error
    return RedirectResponse("../system", status_code=303)


def _queues(statistics: TaskStatistics | None, workers: Sequence[LiveWorker]) -> Sequence[QueueRow]:
    """The queues that have tasks or that a worker consumes; a worker that does not say consumes that of simulations."""
    if statistics is None:
        return []
    consumed = [name for worker in workers for name in _queues_of(worker)]
    return [
        QueueRow(name=name, waiting=counts.waiting, processing=counts.processing, workers=consumed.count(name))
        for name in sorted({*statistics.queues, *consumed})
        for counts in [statistics.queues.get(name, QueueCounts())]
    ]


def _queues_of(worker: LiveWorker) -> Sequence[str]:
    return (SIMULATIONS.name,) if worker.identity.queues is None else worker.identity.queues


async def _dead_letters(request: Request) -> DeadLetters | None:
    """The dead letters, which may be of any project: only administrators see them."""
    if not principal_of(request).role.includes(Role.ADMINISTRATOR):
        return None
    try:
        return await services_of(request).operations.dead_letters.look()
    except QueueUnavailable:
        return None


async def _figures(request: Request) -> tuple[TaskStatistics | None, Sequence[LiveWorker] | None]:
    try:
        return await services_of(request).statistics(), await services_of(request).workers.live()
    except DatabaseUnavailable:
        return None, None
