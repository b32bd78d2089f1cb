"""The page with the task list: its filters are in the URL, and the open page updates itself."""

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
from ketline.domain.failures import FailureCode
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.lists import ListedTask, Order
from ketline.schemas.lists import ListParameters

router = APIRouter(include_in_schema=False)

_SEARCH = "search"
# The parameters that may be repeated, and those that are times.
_REPEATABLE = ("status", "tag")
_TIMES = ("submitted_after", "submitted_before", "completed_after", "completed_before")
_ORDERS: Mapping[Order, str] = {
    Order.NEWEST_FIRST: "newest first",
    Order.OLDEST_FIRST: "oldest first",
    Order.LAST_ENDED_FIRST: "last ended first",
    Order.FIRST_ENDED_FIRST: "first ended first",
}

Items = Sequence[tuple[str, str]]


@router.get("/ui/tasks")
async def show_tasks(request: Request) -> Response:
    """Return the page, or only its live part if an open page requests its update."""
    given = request.query_params.multi_items()
    if (task_id := _searched_task(given)) is not None:
        return RedirectResponse(f"tasks/{task_id}", status_code=303)
    if (normalized := _normalized(given)) != given:
        return RedirectResponse(f"tasks?{urlencode(normalized)}" if normalized else "tasks", status_code=303)
    template = "tasks_live.html" if wants_part(request) else "tasks.html"
    try:
        parameters = _parameters(given)
        listed, next_url = await find_tasks(request, parameters)
    except HTTPProblem as problem:
        shown = _template_values(given, ListParameters(), [], None) | {"trouble": problem.detail}
        return page(request, template, shown, status=problem.kind.status)
    return page(request, template, _template_values(given, parameters, listed, next_url))


def _searched_task(items: Items) -> UUID | None:
    """The task id in the search field; None if the field is empty or has other text."""
    try:
        return UUID(next((value for name, value in items if name == _SEARCH), "").strip())
    except ValueError:
        return None


def _normalized(items: Items) -> list[tuple[str, str]]:
    """The parameters of a submitted form in normal form: no empty ones, one `tag` for each tag, times in UTC."""
    found: list[tuple[str, str]] = []
    for name, value in items:
        text = value.strip()
        if name == _SEARCH:
            found += [("name", text if text.endswith("*") else f"{text}*")] if text else []
        elif name == "tag":
            found += [("tag", part.strip()) for part in text.split(",") if part.strip()]
        elif name in _TIMES:
            found += [(name, _in_utc(text))] if text else []
        elif text and (name, text) != ("order", Order.NEWEST_FIRST):
            found.append((name, text))
    return list(dict.fromkeys(found))


def _in_utc(text: str) -> str:
    """Mark the text of a browser's time field, which has no offset, as UTC; other text is unchanged."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if time.tzinfo else f"{time.isoformat()}Z"


def _parameters(items: Items) -> ListParameters:
    repeatable = {name: [value for key, value in items if key == name] for name in _REPEATABLE}
    single = {name: value for name, value in items if name not in _REPEATABLE}
    try:
        return ListParameters.model_validate({**single, **repeatable})
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise invalid_request([{**detail, "loc": ("query", *detail["loc"])} for detail in details]) from error


def _template_values(
    items: Items, parameters: ListParameters, listed: Sequence[ListedTask], next_url: str | None
) -> dict[str, object]:
    name = parameters.name or ""
    return {
        "tasks": listed,
        "query": urlencode(items),
        "next": None if next_url is None else next_url.partition("?")[2],
        "first": urlencode([item for item in items if item[0] != "cursor"]) if parameters.cursor else None,
        "feed": urlencode([("tag", tag) for tag in parameters.tag]),
        "given": dict(items),
        "parameters": parameters,
        "search": name.removesuffix("*"),
        "statuses": [status.value for status in TaskStatus],
        "kinds": [kind.value for kind in TaskKind],
        "codes": [code.value for code in FailureCode],
        "orders": _ORDERS,
        "filtered": any(item[0] not in {"cursor", "limit", "order"} for item in items),
        "trouble": None,
    }
