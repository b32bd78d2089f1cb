"""The route of the database's maintenance, `POST /admin/vacuum`."""

from fastapi import APIRouter, Request

from ketline.api.openapi import problem_responses
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, services_of
from ketline.domain.errors import VacuumRunning
from ketline.schemas.administration import VacuumView

router = APIRouter(prefix="/admin/vacuum", tags=["administration"])


@router.post(
    "",
    operation_id="vacuum_database",
    response_model_exclude_none=True,
    responses=problem_responses("vacuum_running", "database_unavailable"),
)
async def vacuum_database(request: Request) -> VacuumView:
    """Delete ended tasks beyond the limits of retention now, and make the space of deleted rows reusable. It continues
    if the connection is closed. On SQLite everything that writes waits meanwhile."""
    try:
        done = await services_of(request).operations.vacuum(actor_of(request))
    except VacuumRunning as error:
        raise HTTPProblem(error.code) from error
    return VacuumView(
        tasks_deleted=done.tasks_deleted,
        bytes_before=done.before.total_bytes,
        bytes_after=done.after.total_bytes,
        free_bytes_before=done.before.free_bytes,
        free_bytes_after=done.after.free_bytes,
        dead_rows_before=done.before.dead_rows,
        dead_rows_after=done.after.dead_rows,
        seconds=round(done.seconds, 3),
    )
