"""The page of API keys and projects, for administrators."""

import json
from datetime import timedelta
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from ketline.api.pages.forms import Form, field, read_form
from ketline.api.pages.responses import page
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_body
from ketline.api.services import actor_of, services_of
from ketline.domain.access.principals import Owner, ProjectName, Role
from ketline.domain.errors import KeyUnknown, ProjectExists, ProjectUnknown
from ketline.schemas.access import KeyRequest, ProjectRequest
from ketline.service.access.keys import NewKey

Model = TypeVar("Model", bound=BaseModel)

router = APIRouter(include_in_schema=False)

SECONDS_PER_DAY = 86_400
# How long a key remains valid after it was replaced on the page, so that its user can set the new one.
OVERLAP = timedelta(hours=1)


@router.get("/ui/keys")
async def show_keys(request: Request) -> Response:
    """Show the keys and the projects, with forms that change them."""
    return await _page(request)


@router.post("/ui/keys")
async def create_key(request: Request) -> Response:
    """Create a key, and show it once."""
    wanted = _key_request(await read_form(request))
    try:
        new = await services_of(request).access.keys.create(
            project=ProjectName(wanted.project),
            role=wanted.role,
            owner=Owner(wanted.owner),
            name=wanted.name,
            lifetime=None if wanted.lifetime_s is None else timedelta(seconds=wanted.lifetime_s),
            actor=actor_of(request),
        )
    except ProjectUnknown as error:
        raise HTTPProblem(error.code) from error
    return await _page(request, new)


@router.post("/ui/keys/{key_id}/rotate")
async def rotate_key(key_id: str, request: Request) -> Response:
    """Replace a key, and show the new one once."""
    try:
        return await _page(
            request, await services_of(request).access.keys.rotate(key_id, OVERLAP, actor=actor_of(request))
        )
    except KeyUnknown as error:
        raise HTTPProblem(error.code) from error


@router.post("/ui/keys/{key_id}/revoke")
async def revoke_key(key_id: str, request: Request) -> Response:
    """End a key; the page then shows it as ended."""
    try:
        await services_of(request).access.keys.revoke(key_id, actor_of(request))
    except KeyUnknown as error:
        raise HTTPProblem(error.code) from error
    return RedirectResponse("../../keys", status_code=303)


@router.post("/ui/projects")
async def create_project(request: Request) -> Response:
    """Create a project; the page then offers it for keys."""
    wanted = _validated(ProjectRequest, {"name": field(await read_form(request), "project")})
    try:
        await services_of(request).access.projects.add(ProjectName(wanted.name), actor_of(request))
    except ProjectExists as error:
        raise HTTPProblem(error.code) from error
    return RedirectResponse("keys", status_code=303)


def _key_request(form: Form) -> KeyRequest:
    days = field(form, "days").strip()
    texts = {name: field(form, name).strip() for name in ("project", "role", "owner", "name")}
    given: dict[str, object] = {name: text for name, text in texts.items() if text}
    if days:
        # Anything but a number is left as it is, so that validation reports it.
        given["lifetime_s"] = int(days) * SECONDS_PER_DAY if days.isascii() and days.isdigit() else days
    return _validated(KeyRequest, given)


def _validated(shape: type[Model], given: dict[str, object]) -> Model:
    """Check the fields of a form as the JSON body of the same request is checked."""
    try:
        return shape.model_validate_json(json.dumps(given))
    except ValidationError as error:
        raise invalid_body(error) from error


async def _page(request: Request, new: NewKey | None = None) -> Response:
    services = services_of(request)
    shown = {
        "keys": await services.access.keys.keys(),
        "projects": await services.access.projects.projects(),
        "roles": list(Role),
        "new": new,
    }
    response = page(request, "keys.html", shown)
    response.headers["Cache-Control"] = "no-store"
    return response
