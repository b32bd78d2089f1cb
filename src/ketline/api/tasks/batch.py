"""The route of batches, `POST /tasks/batch`: many submissions in one request."""

from fastapi import APIRouter, Request, Response, status

from ketline.api.openapi import BATCH_BODY, REPLAYED, REPLAYED_HEADERS, SUBMIT_HEADERS, SUBMIT_PROBLEMS
from ketline.api.services import options_of, services_of
from ketline.api.tasks.submission import read_batch, read_batch_keys, submission_of
from ketline.api.tasks.views import view_accepted
from ketline.schemas.submissions import BatchAccepted

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.post(
    "/batch",
    operation_id="submit_batch",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: {"headers": REPLAYED_HEADERS}, **SUBMIT_PROBLEMS},
    openapi_extra={"requestBody": BATCH_BODY, "parameters": SUBMIT_HEADERS},
)
async def create_tasks(request: Request, response: Response) -> BatchAccepted:
    """Submit up to 1,000 programs. Either all of them are stored, in one transaction, or none."""
    specs = await read_batch(request, options_of(request))
    keys = read_batch_keys(request, specs)
    submissions = [submission_of(request, spec, key) for spec, key in zip(specs, keys, strict=True)]
    accepted = await services_of(request).submit.all(submissions)
    if all(task.repeated for task in accepted):
        response.headers[REPLAYED] = "true"
    return BatchAccepted(tasks=[view_accepted(task) for task in accepted])
