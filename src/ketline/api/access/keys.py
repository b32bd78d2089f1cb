"""The routes by which administrators manage the API keys of all projects."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status

from ketline.api.openapi import body_of, problem_responses
from ketline.api.requests.body import read_body
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, services_of
from ketline.domain.access.principals import ApiKey, Owner, ProjectName
from ketline.domain.errors import KeyUnknown, ProjectUnknown
from ketline.schemas.access import KeyList, KeyRequest, KeyView, NewKeyView, RotationRequest
from ketline.service.access.keys import KEY_ID_CHARACTERS, NewKey

router = APIRouter(prefix="/keys", tags=["access"])

KeyId = Annotated[str, Path(max_length=KEY_ID_CHARACTERS, description="Id of the key, as lists show it")]

_BODY_CODES = ("body_too_large", "unsupported_media_type", "invalid_request", "invalid_json", "database_unavailable")


@router.get(
    "",
    operation_id="list_keys",
    response_model_exclude_none=True,
    responses=problem_responses("project_unknown", "invalid_request", "database_unavailable"),
)
async def list_keys(
    request: Request, project: Annotated[str | None, Query(description="Only keys of this project")] = None
) -> KeyList:
    """List the API keys of all projects, or of one, the oldest first, with those that have ended."""
    require_known_parameters(request, "project")
    services, wanted = services_of(request), None if project is None else ProjectName(project)
    if wanted is not None:
        try:
            await services.access.projects.get(wanted)
        except ProjectUnknown as error:
            raise HTTPProblem(error.code) from error
    return KeyList(keys=[KeyView.model_validate(_fields(key)) for key in await services.access.keys.keys(wanted)])


@router.post(
    "",
    operation_id="create_key",
    status_code=status.HTTP_201_CREATED,
    response_model_exclude_none=True,
    responses=problem_responses("project_unknown", *_BODY_CODES),
    openapi_extra={"requestBody": body_of(KeyRequest, {"project": "optics", "role": "submitter", "owner": "ada"})},
)
async def create_key(request: Request, response: Response) -> NewKeyView:
    """Create an API key of a project. The whole key is in this response only: the service stores a digest of it."""
    body = await read_body(request, KeyRequest)
    try:
        new = await services_of(request).access.keys.create(
            project=ProjectName(body.project),
            role=body.role,
            owner=Owner(body.owner),
            name=body.name,
            lifetime=_duration(body.lifetime_s),
            actor=actor_of(request),
        )
    except ProjectUnknown as error:
        raise HTTPProblem(error.code) from error
    return _view_new(new, response)


@router.post(
    "/{key_id}/rotate",
    operation_id="rotate_key",
    status_code=status.HTTP_201_CREATED,
    response_model_exclude_none=True,
    responses=problem_responses("key_unknown", *_BODY_CODES),
    openapi_extra={"requestBody": body_of(RotationRequest, {"overlap_s": 3600}, required=False)},
)
async def rotate_key(key_id: KeyId, request: Request, response: Response) -> NewKeyView:
    """Create a key with the project, role, owner and name of another, which ends after the overlap. The whole new key
    is in this response only."""
    body = await read_body(request, RotationRequest, optional=True)
    try:
        new = await services_of(request).access.keys.rotate(
            key_id, timedelta(seconds=body.overlap_s), _duration(body.lifetime_s), actor=actor_of(request)
        )
    except KeyUnknown as error:
        raise HTTPProblem(error.code) from error
    return _view_new(new, response)


@router.delete(
    "/{key_id}",
    operation_id="revoke_key",
    response_model_exclude_none=True,
    responses=problem_responses("key_unknown", "invalid_request", "database_unavailable"),
)
async def revoke_key(key_id: KeyId, request: Request) -> KeyView:
    """End an API key: every process of the service rejects it within two seconds. It stays in the list."""
    try:
        return KeyView.model_validate(_fields(await services_of(request).access.keys.revoke(key_id, actor_of(request))))
    except KeyUnknown as error:
        raise HTTPProblem(error.code) from error


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _view_new(new: NewKey, response: Response) -> NewKeyView:
    response.headers["Cache-Control"] = "no-store"
    return NewKeyView.model_validate({"key": new.text, **_fields(new.key)})


def _fields(key: ApiKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in KeyView.model_fields}
