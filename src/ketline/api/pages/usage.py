"""The page of usage: a bar and a row of figures for each day or owner."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from ketline.api.pages.responses import page
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import principal_of
from ketline.api.usage import usage_of
from ketline.domain.access.principals import Role
from ketline.domain.access.usage import UsageGroup
from ketline.schemas.usage import ALL_PROJECTS, UsageParameters, UsageRowView

router = APIRouter(include_in_schema=False)


@router.get("/ui/usage")
async def show_usage(request: Request) -> Response:
    """Show what the tasks of the project took; administrators may choose another project, or all."""
    parameters = _parameters(request)
    report = await usage_of(request, parameters)
    shown: Mapping[str, object] = {
        "report": report,
        "parameters": parameters,
        "groups": list(UsageGroup),
        "bars": [(_label(row, parameters), row) for row in report.rows],
        "most": max((row.simulating_seconds for row in report.rows), default=0.0),
        "csv": urlencode([*_chosen(request), ("format", "csv")]),
        "may_choose": principal_of(request).role.includes(Role.ADMINISTRATOR),
    }
    return page(request, "usage.html", shown)


def _chosen(request: Request) -> Sequence[tuple[str, str]]:
    """The fields of the form that are not empty."""
    return [(name, value) for name, value in request.query_params.multi_items() if value]


def _parameters(request: Request) -> UsageParameters:
    fields: dict[str, object] = dict(_chosen(request))
    if "group" in fields:
        fields["group"] = request.query_params.getlist("group")
    try:
        return UsageParameters.model_validate(fields)
    except ValidationError as error:
        raise invalid_request([{**found, "loc": ("query", *found["loc"])} for found in error.errors()]) from error


def _label(row: UsageRowView, parameters: UsageParameters) -> str:
    parts = [
        row.project if parameters.project == ALL_PROJECTS else None,
        row.day.isoformat() if row.day else None,
        (row.owner or "no owner") if UsageGroup.OWNER in parameters.group else None,
    ]
    return " · ".join(part for part in parts if part)
