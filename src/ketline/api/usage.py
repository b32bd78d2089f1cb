"""The route of usage, `GET /usage`, and whose usage the page of usage may show."""

import csv
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.formats import CSV, JSON
from ketline.api.responses.representation import negotiated
from ketline.api.services import principal_of, services_of
from ketline.domain.access.principals import ProjectName, Role
from ketline.domain.access.usage import UsageQuery, UsageRow, total
from ketline.domain.errors import ProjectUnknown
from ketline.schemas.usage import ALL_PROJECTS, UsageParameters, UsageReport, UsageRowView, UsageView

router = APIRouter(tags=["service"])

# Before the last day, if no first day is requested.
_DAYS_BEFORE = timedelta(days=29)
# Source: OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = tuple(UsageRowView.model_fields)


@router.get(
    "/usage",
    operation_id="read_usage",
    response_model=UsageReport,
    response_model_exclude_none=True,
    responses={
        200: {"content": {CSV: {"schema": {"type": "string"}, "example": ",".join(_COLUMNS) + "\r\n"}}},
        **problem_responses(
            "invalid_request", "role_insufficient", "project_unknown", "not_acceptable", "database_unavailable"
        ),
    },
)
async def read_usage(parameters: Annotated[UsageParameters, Query()], request: Request, response: Response) -> object:
    """Sum what the tasks of a project took that ended on some days, also those that were deleted since."""
    media_type = {"json": JSON, "csv": CSV, None: None}[parameters.format] or negotiated(request, (JSON, CSV))
    response.headers.update({"Cache-Control": "no-store", "Vary": "Accept"})
    report = await usage_of(request, parameters)
    if media_type == JSON:
        return report
    return Response(_csv(report.rows), media_type=CSV, headers=dict(response.headers))


async def usage_of(request: Request, parameters: UsageParameters) -> UsageReport:
    """The usage that the parameters select.

    Raises:
        HTTPProblem: the sender may not see the usage of this project, or there is no such project.
        DatabaseUnavailable: it could not be summed.
    """
    first, last = _days(parameters)
    project = await visible_project(request, parameters.project, "usage")
    query = UsageQuery(project=project, first_day=first, last_day=last, groups=frozenset(parameters.group))
    rows = await services_of(request).usage(query)
    summed = UsageView(**asdict(total(row.usage for row in rows)))
    return UsageReport(first_day=first, last_day=last, rows=list(map(_view, rows)), total=summed)


async def visible_project(request: Request, wanted: str | None, what: str) -> ProjectName | None:
    """The project of which the sender wants to see something and may, None for all projects.

    Raises:
        HTTPProblem: the sender may not see that project, or there is no such project.
    """
    principal = principal_of(request)
    if wanted is None or wanted == principal.project:
        return principal.project
    if not principal.role.includes(Role.ADMINISTRATOR):  # guard: usage.own
        detail = f"Only an administrator sees the {what} of other projects than {principal.project}."
        raise HTTPProblem("role_insufficient", detail)
    if wanted == ALL_PROJECTS:
        return None
    try:
        return (await services_of(request).access.projects.get(ProjectName(wanted))).name
    except ProjectUnknown as error:
        raise HTTPProblem(error.code, str(error)) from error


def _days(parameters: UsageParameters) -> tuple[date, date]:
    last = parameters.last_day or max(datetime.now(UTC).date(), parameters.first_day or date.min)
    return parameters.first_day or last - _DAYS_BEFORE, last


def _view(row: UsageRow) -> UsageRowView:
    return UsageRowView(project=row.project, day=row.day, owner=row.owner, **asdict(row.usage))


def _csv(rows: Sequence[UsageRowView]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.model_dump().items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A value as a cell; text that spreadsheets would take for a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
