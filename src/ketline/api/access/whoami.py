"""The route that says who sent a request, `GET /whoami`."""

from fastapi import APIRouter, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.services import principal_of
from ketline.schemas.access import PrincipalView

router = APIRouter(tags=["access"])


@router.get(
    "/whoami",
    operation_id="read_principal",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request"),
)
async def read_principal(request: Request, response: Response) -> PrincipalView:
    """Read the project, role and owner of the credentials of this request, and when they end."""
    require_known_parameters(request)
    response.headers["Cache-Control"] = "no-store"
    principal = principal_of(request)
    return PrincipalView.model_validate({name: getattr(principal, name) for name in PrincipalView.model_fields})
