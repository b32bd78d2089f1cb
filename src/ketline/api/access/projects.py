"""The routes of projects, for administrators."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Path, Request, status

from ketline.api.openapi import body_of, problem_responses
from ketline.api.requests.body import read_body
from ketline.api.requests.callbacks import require_permitted_callback
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import actor_of, options_of, services_of
from ketline.domain.access.principals import MAX_PROJECT_CHARACTERS, Project, ProjectName, parse_project_name
from ketline.domain.access.quotas import Quota, Scope
from ketline.domain.errors import ProjectExists, ProjectUnknown
from ketline.schemas.access import ProjectChange, ProjectList, ProjectRequest, ProjectView, QuotaLimits

router = APIRouter(prefix="/projects", tags=["access"])

Name = Annotated[str, Path(max_length=MAX_PROJECT_CHARACTERS, description="Name of the project")]


@router.get(
    "",
    operation_id="list_projects",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def list_projects(request: Request) -> ProjectList:
    """List all projects."""
    require_known_parameters(request)
    return ProjectList(projects=[_view(request, one) for one in await services_of(request).access.projects.projects()])


@router.post(
    "",
    operation_id="create_project",
    status_code=status.HTTP_201_CREATED,
    response_model_exclude_none=True,
    responses=problem_responses(
        "project_exists",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        "invalid_json",
        "database_unavailable",
    ),
    openapi_extra={"requestBody": body_of(ProjectRequest, {"name": "optics"})},
)
async def create_project(request: Request) -> ProjectView:
    """Create a project, to which keys and tasks can belong."""
    body = await read_body(request, ProjectRequest)
    try:
        return _view(request, await services_of(request).access.projects.add(ProjectName(body.name), actor_of(request)))
    except ProjectExists as error:
        raise HTTPProblem(error.code) from error


@router.get(
    "/{name}",
    operation_id="read_project",
    response_model_exclude_none=True,
    responses=problem_responses("project_unknown", "invalid_request", "database_unavailable"),
)
async def read_project(name: Name, request: Request) -> ProjectView:
    """Read a project with its quotas, and the defaults that apply where it has none."""
    with known_project(name) as project:
        return _view(request, await services_of(request).access.projects.get(project))


@router.patch(
    "/{name}",
    operation_id="change_project",
    response_model_exclude_none=True,
    responses=problem_responses(
        "project_unknown",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        "invalid_json",
        "database_unavailable",
    ),
    openapi_extra={
        "requestBody": body_of(ProjectChange, {"quotas": {"waiting": 100}, "owner_quotas": {"priority": 0}})
    },
)
async def change_project(name: Name, request: Request) -> ProjectView:
    """Change the quotas and the callback of a project, for submissions from now on, and its share of the slots. What
    the body leaves out stays as it is."""
    body = await read_body(request, ProjectChange)
    require_permitted_callback(body.callback, options_of(request))
    with known_project(name) as project:
        quotas = known = (await services_of(request).access.projects.get(project)).quotas
        for scope, limits in ((Scope.PROJECT, body.quotas), (Scope.OWNER, body.owner_quotas)):
            given = limits.model_dump(exclude_unset=True)
            quotas = quotas.changed(scope, {Quota(quota): limit for quota, limit in given.items()})
        changed = await services_of(request).access.projects.change(
            project,
            quotas=None if quotas == known else quotas,
            weight=body.weight,
            callback=None if "callback" not in body.model_fields_set else body.callback or "",
            actor=actor_of(request),
        )
    return _view(request, changed)


@contextmanager
def known_project(name: str) -> Iterator[ProjectName]:
    """The project of this name, where there may be none; a name that no project can have is not looked up."""
    unknown = HTTPProblem(ProjectUnknown.code, f"There is no project {name!r}.")
    try:
        project = parse_project_name(name)
    except ValueError as error:
        raise unknown from error
    try:
        yield project
    except ProjectUnknown as error:
        raise unknown from error


def _view(request: Request, project: Project) -> ProjectView:
    defaults = project.quotas.defaulted(services_of(request).submit.quotas.defaults)
    return ProjectView(
        name=project.name,
        created_at=project.created_at,
        weight=project.weight,
        callback=project.callback,
        quotas=QuotaLimits.model_validate(project.quotas.project),
        owner_quotas=QuotaLimits.model_validate(project.quotas.owner),
        default_quotas=QuotaLimits.model_validate(defaults.project),
        default_owner_quotas=QuotaLimits.model_validate(defaults.owner),
    )
