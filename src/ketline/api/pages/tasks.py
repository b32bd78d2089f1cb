"""The page of the task list: its filters are in the URL, and it is updated while it is open."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from ketline.api.pages.responses import page, wants_part
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_request
from ketline.api.tasks.lists import find_tasks
from ketline.domain.lists import ListedTask, Order
from ketline.domain.task import FailureCode, TaskStatus
from ketline.schemas.lists import ListParameters

router = APIRouter(include_in_schema=False)

SEARCH = "search"
_SEVERAL = ("status", "tag")
_MOMENTS = ("submitted_after", "submitted_before", "completed_after", "completed_before")
_ORDERS: Mapping[Order, str] = {
    Order.NEWEST_FIRST: "newest first",
    Order.OLDEST_FIRST: "oldest first",
    Order.LAST_ENDED_FIRST: "last ended first",
    Order.FIRST_ENDED_FIRST: "first ended first",
}

Items = Sequence[tuple[str, str]]


@router.get("/ui/tasks")
async def show_tasks(request: Request) -> Response:
    """Show the page of a list, or its live part for an open page."""
    given = request.query_params.multi_items()
    if (task_id := _searched_task(given)) is not None:
        return RedirectResponse(f"tasks/{task_id}", status_code=303)
    if (normalized := _normalized(given)) != given:
        return RedirectResponse(f"tasks?{urlencode(normalized)}" if normalized else "tasks", status_code=303)
    template = "tasks_live.html" if wants_part(request) else "tasks.html"
    try:
        parameters = _parameters(given)
        listed, following = await find_tasks(request, parameters)
    except HTTPProblem as problem:
        shown = _shown(given, ListParameters(), [], None) | {"trouble": problem.detail}
        return page(request, template, shown, status=problem.kind.status)
    return page(request, template, _shown(given, parameters, listed, following))


def _searched_task(items: Items) -> UUID | None:
    """The task id in the search field, None if it has other text."""
    try:
        return UUID(next((value for name, value in items if name == SEARCH), "").strip())
    except ValueError:
        return None


def _normalized(items: Items) -> list[tuple[str, str]]:
    """The parameters of a submitted form in normal form: none empty, one tag each, times in UTC."""
    found: list[tuple[str, str]] = []
    for name, value in items:
        text = value.strip()
        if name == SEARCH:
            found += [("name", text if text.endswith("*") else f"{text}*")] if text else []
        elif name == "tag":
            found += [("tag", part.strip()) for part in text.split(",") if part.strip()]
        elif name in _MOMENTS:
            found += [(name, _moment(text))] if text else []
        elif text and (name, text) != ("order", Order.NEWEST_FIRST):
            found.append((name, text))
    return list(dict.fromkeys(found))


def _moment(text: str) -> str:
    """Convert the text of a browser's time field, which has no offset, to UTC; other text is unchanged."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo else f"{moment.isoformat()}Z"


def _parameters(items: Items) -> ListParameters:
    several = {name: [value for key, value in items if key == name] for name in _SEVERAL}
    single = {name: value for name, value in items if name not in _SEVERAL}
    try:
        return ListParameters.model_validate({**single, **several})
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise invalid_request([{**fault, "loc": ("query", *fault["loc"])} for fault in found]) from error


def _shown(
    items: Items, parameters: ListParameters, listed: Sequence[ListedTask], following: str | None
) -> dict[str, object]:
    name = parameters.name or ""
    return {
        "tasks": listed,
        "query": urlencode(items),
        "next": None if following is None else following.partition("?")[2],
        "first": urlencode([item for item in items if item[0] != "cursor"]) if parameters.cursor else None,
        "feed": urlencode([("tag", tag) for tag in parameters.tag]),
        "given": dict(items),
        "parameters": parameters,
        "search": name.removesuffix("*"),
        "statuses": [status.value for status in TaskStatus],
        "codes": [code.value for code in FailureCode],
        "orders": _ORDERS,
        "filtered": any(item[0] not in {"cursor", "limit", "order"} for item in items),
        "trouble": None,
    }
