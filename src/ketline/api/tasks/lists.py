"""The routes of lists and statistics, `GET /tasks` and `GET /tasks/stats`."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from ketline.api.administration.pauses import view_pauses
from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import services_of
from ketline.api.tasks.cursor import read_cursor, write_cursor
from ketline.api.tasks.views import view_task
from ketline.domain.access.principals import Owner
from ketline.domain.attempts.claim_stops import Pause
from ketline.domain.ids import WorkerId
from ketline.domain.tasks.lists import ListedTask, Position, TaskFilter, TaskPart, TaskQuery, TaskStatistics
from ketline.schemas.lists import ListParameters, QueueCountsView, RateView, StatisticsView, TaskList, TaskSummary

router = APIRouter(prefix="/tasks", tags=["tasks"])

_SEVERAL = {"status", "tag", "fields"}
# Parameters that may differ between the pages of one list.
_PER_PAGE = {"cursor", "limit", "fields"}
_FIELDS = {part: part.value for part in TaskPart} | {TaskPart.HISTORY: "status_history"}
_NEXT_PAGE = {"Link": {"description": 'The next page, as `rel="next"`', "schema": {"type": "string"}}}


@router.get(
    "",
    operation_id="list_tasks",
    response_model_exclude_none=True,
    responses={
        200: {"headers": _NEXT_PAGE},
        **problem_responses("invalid_request", "unknown_cursor", "database_unavailable"),
    },
)
async def list_tasks(parameters: Annotated[ListParameters, Query()], request: Request, response: Response) -> TaskList:
    """List the tasks to which all parameters apply, newest first by default. If there is a `next`, the list continues
    there: each page examines a bounded number of tasks, so it may have fewer than `limit`, or none."""
    tasks, following = await find_tasks(request, parameters)
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    parts = frozenset(parameters.fields)
    return TaskList(tasks=[_summarize(task, parts) for task in tasks], next=following)


async def find_tasks(request: Request, parameters: ListParameters) -> tuple[Sequence[ListedTask], str | None]:
    """The tasks of the requested page, and the address of the next page if the list continues.

    Raises:
        HTTPProblem: a parameter is repeated, or the cursor belongs to another list.
        DatabaseUnavailable: the tasks could not be read.
    """
    _reject_repeated(request)
    scope = _scope(request)
    query = TaskQuery(
        which=_filter(parameters),
        order=parameters.order,
        limit=parameters.limit,
        after=None if parameters.cursor is None else read_cursor(parameters.cursor, scope),
        parts=frozenset(parameters.fields),
    )
    page = await services_of(request).catalogue.find(query)
    return page.tasks, None if page.next is None else _next(request, page.next, scope)


@router.get(
    "/stats",
    operation_id="read_statistics",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def read_statistics(request: Request) -> StatisticsView:
    """Count the tasks of each status and queue, how long the oldest pending one has waited, and how many end."""
    require_known_parameters(request)
    services = services_of(request)
    return _view_statistics(await services.statistics(), await services.operations.pauses())


def _reject_repeated(request: Request) -> None:
    times = Counter(name for name, _ in request.query_params.multi_items())
    repeated = sorted(name for name, count in times.items() if name not in _SEVERAL and count > 1)
    if repeated:
        raise invalid_request(
            [{"type": "repeated", "loc": ("query", name), "msg": "must be given once"} for name in repeated]
        )


def _scope(request: Request) -> str:
    """The parameters that all pages of one list share, sorted."""
    return urlencode(sorted({item for item in request.query_params.multi_items() if item[0] not in _PER_PAGE}))


def _next(request: Request, position: Position, scope: str) -> str:
    of_page = [item for item in request.query_params.multi_items() if item[0] in {"limit", "fields"}]
    page = urlencode([*of_page, ("cursor", write_cursor(position, scope))])
    return f"{request.url.path}?{scope}&{page}" if scope else f"{request.url.path}?{page}"


def _filter(parameters: ListParameters) -> TaskFilter:
    name = parameters.name
    prefix = name.removesuffix("*") if name is not None and name.endswith("*") else None
    return TaskFilter(
        statuses=tuple(parameters.status),
        tags=tuple(sorted(set(parameters.tag))),
        name=name if prefix is None else None,
        name_prefix=prefix,
        submitted_after=parameters.submitted_after,
        submitted_before=parameters.submitted_before,
        completed_after=parameters.completed_after,
        completed_before=parameters.completed_before,
        worker_id=None if parameters.worker is None else WorkerId(parameters.worker),
        error_code=parameters.error_code,
        owner=None if parameters.owner is None else Owner(parameters.owner),
        kind=parameters.kind,
    )


def _summarize(listed: ListedTask, parts: frozenset[TaskPart]) -> TaskSummary:
    view = view_task(listed.task)
    left_out = dict.fromkeys(field for part, field in _FIELDS.items() if part not in parts)
    added = {"worker_id": listed.worker_id, "circuit": listed.circuit, **left_out}
    return TaskSummary.model_validate(view, from_attributes=True).model_copy(update=added)


def _view_statistics(counted: TaskStatistics, pauses: Sequence[Pause]) -> StatisticsView:
    return StatisticsView(
        counted_at=counted.at,
        counts=dict(counted.counts),
        oldest_pending_seconds=counted.oldest_pending_seconds,
        rates=[
            RateView(
                minutes=rate.minutes,
                completed_per_minute=rate.completed_per_minute,
                failed_per_minute=rate.failed_per_minute,
            )
            for rate in counted.rates
        ],
        queues={
            name: QueueCountsView(waiting=counts.waiting, processing=counts.processing)
            for name, counts in counted.queues.items()
        },
        pauses=view_pauses(pauses) or None,
    )
