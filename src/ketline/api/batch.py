"""Submit many programs in one request."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response, status

from ketline.api.openapi import BATCH_BODY, SUBMIT_HEADERS, SUBMIT_PROBLEMS
from ketline.api.services import options_of, services_of
from ketline.api.submission import asked_of, read_batch, read_batch_keys
from ketline.domain.task import Accepted
from ketline.schemas.tasks import BatchAccepted, TaskAccepted

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.post(
    "/batch",
    operation_id="submit_batch",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        200: {"model": BatchAccepted, "description": "The key named these tasks before"},
        **SUBMIT_PROBLEMS,
    },
    openapi_extra={"requestBody": BATCH_BODY, "parameters": SUBMIT_HEADERS},
)
async def create_tasks(request: Request, response: Response) -> BatchAccepted:
    """Submit up to 1,000 programs. All of them are stored, in one transaction, or none is."""
    submissions = await read_batch(request, options_of(request))
    keys = read_batch_keys(request, submissions)
    programs = [asked_of(request, one, key) for one, key in zip(submissions, keys, strict=True)]
    accepted = await services_of(request).submit.all(programs)
    if all(one.repeated for one in accepted):
        response.status_code = status.HTTP_200_OK
    return BatchAccepted(tasks=_views(accepted))


def _views(accepted: Sequence[Accepted]) -> list[TaskAccepted]:
    return [
        TaskAccepted(task_id=one.task_id, submitted_at=one.submitted_at, correlation_id=one.correlation_id)
        for one in accepted
    ]
