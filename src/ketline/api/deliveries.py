"""The routes of deliveries: messages to callbacks, their states, and their repetition."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from ketline.api.openapi import problem_responses
from ketline.api.requests.parameters import require_known_parameters
from ketline.api.responses.errors import HTTPProblem
from ketline.api.services import services_of
from ketline.domain.errors import DeliveryNotFound, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import Delivery, DeliveryId, message_id
from ketline.schemas.webhooks import (
    DeliveryList,
    DeliveryParameters,
    DeliveryView,
    RepeatedDeliveries,
    TaskDeliveries,
)

router = APIRouter(tags=["deliveries"])

# The largest number of dead deliveries that one request repeats.
MAX_REPEATED = 1000


@router.get(
    "/tasks/{task_id}/deliveries",
    operation_id="read_deliveries",
    response_model_exclude_none=True,
    responses=problem_responses("task_not_found", "invalid_request", "database_unavailable"),
)
async def read_deliveries(task_id: UUID, request: Request) -> TaskDeliveries:
    """Read the delivery of the message that a task has ended, also after the task was deleted."""
    require_known_parameters(request)
    with _problems_of(task_id):
        found = await services_of(request).deliveries.of_task(TaskId(task_id))
    return TaskDeliveries(deliveries=list(map(_view, found)))


@router.post(
    "/tasks/{task_id}/redeliver",
    operation_id="redeliver_task",
    status_code=status.HTTP_202_ACCEPTED,
    response_model_exclude_none=True,
    responses=problem_responses("delivery_not_found", "invalid_request", "database_unavailable"),
)
async def redeliver_task(task_id: UUID, request: Request) -> DeliveryView:
    """Deliver the message that a task has ended once more, with the same id, and retry for another day."""
    require_known_parameters(request)
    with _problems_of(task_id):
        return _view(await services_of(request).deliveries.repeat(TaskId(task_id)))


@router.get(
    "/deliveries",
    operation_id="list_deliveries",
    response_model_exclude_none=True,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def list_deliveries(
    parameters: Annotated[DeliveryParameters, Query()], request: Request, response: Response
) -> DeliveryList:
    """List the deliveries of the project, the newest first, or those in one state."""
    before = None if parameters.cursor is None else DeliveryId(parameters.cursor)
    page = await services_of(request).deliveries.find(parameters.state, before, parameters.limit)
    following = None if page.next is None else _next(request, page.next)
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return DeliveryList(deliveries=list(map(_view, page.deliveries)), next=following)


@router.post(
    "/deliveries/redeliver",
    operation_id="redeliver_dead",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problem_responses("invalid_request", "database_unavailable"),
)
async def redeliver_dead(request: Request) -> RepeatedDeliveries:
    """Deliver up to 1000 dead messages of the project once more, the oldest first: repeat it while it returns as many.
    It is for receivers that were down for more than a day."""
    require_known_parameters(request)
    return RepeatedDeliveries(repeated=await services_of(request).deliveries.repeat_dead(MAX_REPEATED))


def _next(request: Request, last: DeliveryId) -> str:
    kept = [item for item in request.query_params.multi_items() if item[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', str(last))])}"


@contextmanager
def _problems_of(task_id: UUID) -> Iterator[None]:
    """Convert errors of the calls in this context to problems."""
    try:
        yield
    except TaskNotFound as error:
        raise HTTPProblem(error.code, f"Task {task_id} was not found.") from error
    except DeliveryNotFound as error:
        raise HTTPProblem(error.code, str(error)) from error


def _view(delivery: Delivery) -> DeliveryView:
    shown = {name: getattr(delivery, name) for name in DeliveryView.model_fields if name != "message_id"}
    return DeliveryView(message_id=message_id(delivery.delivery_id), **shown)
