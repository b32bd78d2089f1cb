"""The routes of the secrets that sign messages to callbacks, for administrators."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from ketline.api.access.projects import Name, known_project
from ketline.api.openapi import body_of, problem_responses
from ketline.api.requests.body import read_body
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.services import actor_of, services_of
from ketline.domain.webhooks.deliveries import SigningSecret
from ketline.schemas.webhooks import SecretRotation, SecretView

router = APIRouter(prefix="/projects", tags=["access"])


@router.get(
    "/{name}/webhook-secret",
    operation_id="read_webhook_secret",
    response_model_exclude_none=True,
    responses=problem_responses("project_unknown", "invalid_request", "database_unavailable"),
)
async def read_webhook_secret(name: Name, request: Request, response: Response) -> SecretView:
    """Read the secret that signs the messages of a project, which receivers need to verify them."""
    require_known_parameters(request)
    with known_project(name) as project:
        return _view(await services_of(request).access.webhook_secrets.get(project), response)


@router.post(
    "/{name}/webhook-secret",
    operation_id="rotate_webhook_secret",
    response_model_exclude_none=True,
    responses=problem_responses(
        "project_unknown",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        "invalid_json",
        "database_unavailable",
    ),
    openapi_extra={"requestBody": body_of(SecretRotation, {"overlap_s": 3600}, required=False)},
)
async def rotate_webhook_secret(name: Name, request: Request, response: Response) -> SecretView:
    """Replace the secret of a project. For a day, or as long as the body says, messages have a signature with the
    previous one too, so that receivers can change theirs meanwhile."""
    body = await read_body(request, SecretRotation, optional=True)
    overlap = timedelta(seconds=body.overlap_s)
    with known_project(name) as project:
        return _view(
            await services_of(request).access.webhook_secrets.rotate(project, overlap, actor_of(request)), response
        )


def _view(secret: SigningSecret, response: Response) -> SecretView:
    response.headers["Cache-Control"] = "no-store"
    return SecretView(
        project=secret.project,
        secret=secret.secret,
        created_at=secret.created_at,
        previous=secret.previous,
        previous_until=secret.previous_until,
    )
