"""The routes of pauses, `/admin/pauses`: workers claim no tasks of paused queues."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ketline.api.openapi import body_of, problem_responses
from ketline.api.requests.body import read_body
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import actor_of, services_of
from ketline.domain.attempts.claim_stops import Pause, PauseScope, parse_pause_scope
from ketline.schemas.administration import PauseList, PauseRequest, PauseView

router = APIRouter(prefix="/admin/pauses", tags=["administration"])

_BODY_CODES = ("body_too_large", "unsupported_media_type", "invalid_request", "invalid_json", "database_unavailable")
ScopePath = Annotated[str, Path(max_length=80, description="As pauses show it")]


@router.get(
    "",
    operation_id="list_pauses",
    response_model_exclude_none=True,
    responses=problem_responses("database_unavailable"),
)
async def list_pauses(request: Request, response: Response) -> PauseList:
    """List the queues of which no tasks are claimed."""
    return await _all(request, response)


@router.post(
    "",
    operation_id="pause_claims",
    response_model_exclude_none=True,
    responses=problem_responses(*_BODY_CODES),
    openapi_extra={"requestBody": body_of(PauseRequest, {"reason": "disk is full"}, required=False)},
)
async def pause_claims(request: Request, response: Response) -> PauseList:
    """Stop the claims of all queues, or of one: within two seconds no worker begins a task of it. Tasks that run
    continue, submissions are accepted. A pause lasts until it is removed, whatever is restarted."""
    body = await read_body(request, PauseRequest, optional=True)
    await services_of(request).operations.claim_controls.pause(PauseScope(body.queue), body.reason, actor_of(request))
    return await _all(request, response)


@router.delete(
    "",
    operation_id="resume_all_claims",
    response_model_exclude_none=True,
    responses=problem_responses("database_unavailable"),
)
async def resume_all_claims(request: Request, response: Response) -> PauseList:
    """Remove all pauses."""
    await services_of(request).operations.claim_controls.resume(None, actor_of(request))
    return await _all(request, response)


@router.delete(
    "/{queue}",
    operation_id="resume_claims",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def resume_claims(queue: ScopePath, request: Request, response: Response) -> PauseList:
    """Remove the pause of a queue, or `all`, and list those that remain; nothing happens if there is none."""
    try:
        scope = parse_pause_scope(queue)
    except ValueError as error:
        raise invalid_request([{"type": "pause_scope", "loc": ("path", "queue"), "msg": str(error)}]) from error
    await services_of(request).operations.claim_controls.resume(scope, actor_of(request))
    return await _all(request, response)


async def _all(request: Request, response: Response) -> PauseList:
    """All pauses as they are now."""
    response.headers["Cache-Control"] = "no-store"
    services = services_of(request)
    services.operations.pauses.forget()
    return PauseList(pauses=view_pauses(await services.operations.pauses()))


def view_pauses(pauses: Sequence[Pause]) -> list[PauseView]:
    """Pauses as clients see them."""
    return [PauseView(queue=one.scope, since=one.since, reason=one.reason, owner=one.owner) for one in pauses]
