"""The route of the history of statistics, `GET /tasks/stats/history`; the system page calls `history_of`."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ketline.api.openapi import problem_responses
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import principal_of, services_of
from ketline.api.usage import visible_project
from ketline.domain.access.principals import Role
from ketline.domain.limits import MAX_HISTORY_POINTS
from ketline.domain.operations.history import History, HistoryPoint, HistoryQuery, Minute, minute_of
from ketline.schemas.history import DAY_SECONDS, MINUTE_SECONDS, HistoryParameters, HistoryPointView, HistoryView

router = APIRouter(prefix="/tasks/stats", tags=["tasks"])

# The default step is the smallest of these, in minutes, that gives at most `_DEFAULT_POINTS` points.
_STEPS = (1, 5, 15, 30, 60, 120, 360, DAY_SECONDS // MINUTE_SECONDS)
_DEFAULT_POINTS = 400
_DEFAULT_SPAN = timedelta(days=1)
_FOR_OPERATORS = ("workers", "slots")


@router.get(
    "/history",
    operation_id="read_history",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "role_insufficient", "project_unknown", "database_unavailable"),
)
async def read_history(
    parameters: Annotated[HistoryParameters, Query()], request: Request, response: Response
) -> HistoryView:
    """Read how many tasks waited, ran and ended in periods of the past, and how long they took. A period of which
    nothing was recorded has no point."""
    response.headers["Cache-Control"] = "no-store"
    return await history_of(request, parameters)


async def history_of(request: Request, parameters: HistoryParameters) -> HistoryView:
    """The history that the parameters select.

    Raises:
        HTTPProblem: the client may not see the history of this project, or there would be too many points.
        DatabaseUnavailable: the history could not be read.
    """
    start, end = _span(parameters)
    query = HistoryQuery(
        project=await visible_project(request, parameters.project, "history"),
        first=minute_of(start),
        end=Minute(minute_of(end - timedelta(microseconds=1)) + 1),
        step=_step(parameters, start, end),
        queue=parameters.queue,
    )
    found = await _read(request, query)
    is_operator = principal_of(request).role.includes(Role.OPERATOR)
    return HistoryView(
        start=start,
        end=end,
        step_seconds=query.step * MINUTE_SECONDS,
        project=query.project,
        queue=query.queue,
        queues=list(found.queues),
        points=[_view(point, is_operator=is_operator) for point in found.points],
    )


async def _read(request: Request, query: HistoryQuery) -> History:
    # The future has no records, and the minutes of a distant future exceed the column's range.
    query = replace(query, end=min(query.end, Minute(minute_of(datetime.now(UTC)) + 1)))
    return await services_of(request).operations.history.read(query) if query.first < query.end else History(points=[])


def _span(parameters: HistoryParameters) -> tuple[datetime, datetime]:
    """The start and end of the requested history; the default end is now, or a day after a start in the future."""
    now = datetime.now(UTC)
    if parameters.end is None and parameters.start is not None and parameters.start >= now:
        return parameters.start, parameters.start + _DEFAULT_SPAN
    end = parameters.end or now
    return parameters.start or end - _DEFAULT_SPAN, end


def _step(parameters: HistoryParameters, start: datetime, end: datetime) -> int:
    """The length of a period in minutes."""
    minutes = (end - start) / timedelta(minutes=1)
    if parameters.step is None:
        fitting = (step for step in _STEPS if minutes <= step * _DEFAULT_POINTS)
        step = next(fitting, _STEPS[-1])
    else:
        step = parameters.step // MINUTE_SECONDS
    if minutes > step * MAX_HISTORY_POINTS:
        message = f"must be larger, or the time shorter: there are at most {MAX_HISTORY_POINTS} points"
        raise invalid_request([{"type": "too_many_points", "loc": ("query", "step"), "msg": message}])
    return step


def _view(point: HistoryPoint, *, is_operator: bool) -> HistoryPointView:
    figures: dict[str, Any] = {name: _rounded(value) for name, value in asdict(point).items() if name != "first"}
    hidden: dict[str, Any] = {} if is_operator else dict.fromkeys(_FOR_OPERATORS)  # guard: history.workers
    return HistoryPointView(at=point.at, **{**figures, **hidden})


def _rounded(value: float | None) -> float | None:
    return round(value, 6) if isinstance(value, float) else value
