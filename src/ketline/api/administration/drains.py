"""The routes of drains, `/admin/workers/{worker_id}/drain`: one worker claims no further tasks."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from ketline.api.openapi import problem_responses
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, services_of
from ketline.domain.attempts.claim_stops import Drain
from ketline.domain.errors import WorkerUnknown
from ketline.domain.ids import WorkerId
from ketline.schemas.administration import DrainView

router = APIRouter(prefix="/admin/workers", tags=["administration"])

WorkerPath = Annotated[str, Path(max_length=255, description="Id of the worker, as GET /workers lists it")]
_CODES = ("worker_unknown", "invalid_request", "database_unavailable")


@router.post(
    "/{worker_id}/drain",
    operation_id="drain_worker",
    response_model_exclude_none=True,
    responses=problem_responses(*_CODES),
)
async def drain_worker(worker_id: WorkerPath, request: Request) -> DrainView:
    """Have a worker finish the tasks that it runs and claim no others, until the drain is ended or its process starts
    anew. Call it again, or read `/workers`, to see whether it is drained."""
    try:
        return _view(await services_of(request).operations.claim_controls.drain(WorkerId(worker_id), actor_of(request)))
    except WorkerUnknown as error:
        raise HTTPProblem(error.code) from error


@router.delete(
    "/{worker_id}/drain",
    operation_id="end_drain",
    response_model_exclude_none=True,
    responses=problem_responses(*_CODES),
)
async def end_drain(worker_id: WorkerPath, request: Request) -> DrainView:
    """Have a worker claim tasks again; nothing happens if it does."""
    try:
        return _view(
            await services_of(request).operations.claim_controls.end_drain(WorkerId(worker_id), actor_of(request))
        )
    except WorkerUnknown as error:
        raise HTTPProblem(error.code) from error


def _view(drain: Drain) -> DrainView:
    return DrainView(
        worker_id=drain.worker_id,
        draining_since=drain.draining_since,
        drained_at=drain.drained_at,
        tasks=drain.tasks,
    )
