"""The history of statistics on the system page: charts of some hours or days, of a queue or all, of a project."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from fastapi import Request
from pydantic import ValidationError

from ketline.api.history import history_of
from ketline.api.responses.field_errors import invalid_request
from ketline.api.services import principal_of
from ketline.domain.errors import DatabaseUnavailable
from ketline.schemas.history import HistoryParameters, HistoryView
from ketline.schemas.usage import ALL_PROJECTS
from ketline.web.history_charts import history_charts

# The name of each range, with the minutes of a period.
_RANGES: Mapping[str, tuple[str, timedelta, int]] = {
    "1h": ("hour", timedelta(hours=1), 1),
    "6h": ("6 hours", timedelta(hours=6), 1),
    "24h": ("24 hours", timedelta(hours=24), 5),
    "7d": ("7 days", timedelta(days=7), 30),
    "30d": ("30 days", timedelta(days=30), 120),
}
_DEFAULT_RANGE = "6h"


def wants_history(request: Request) -> bool:
    """Whether the request for a part of the system page is one for the history."""
    return request.query_params.get("part") == "history"


async def history_shown(request: Request, *, readable: bool = True) -> Mapping[str, object]:
    """The values that the templates show of the history; without a database, a note that it could not be read.

    Raises:
        HTTPProblem: a parameter of the page is wrong, or the sender may not see that project.
    """
    chosen = _chosen(request)
    name = chosen.pop("range", _DEFAULT_RANGE)
    parameters = _parameters(name, chosen)
    history = await _read(request, parameters) if readable else None
    own = principal_of(request).project
    return {
        "history": history,
        "charts": [] if history is None else history_charts(history),
        "range": name,
        "ranges": {name: text for name, (text, *_) in _RANGES.items()},
        "history_queue": parameters.queue,
        "history_queues": sorted(
            {*(history.queues if history else ()), *([parameters.queue] if parameters.queue else ())}
        ),
        "chosen_project": parameters.project,
        "projects": _projects(own, parameters.project),
        "address": urlencode({"from": _text(parameters.start), "to": _text(parameters.end), **chosen}),
    }


def _chosen(request: Request) -> dict[str, str]:
    """The parameters of the history that are not empty."""
    names = ("range", "queue", "project")
    return {name: value for name in names if (value := request.query_params.get(name))}


def _parameters(name: str, chosen: Mapping[str, str]) -> HistoryParameters:
    if name not in _RANGES:
        detail = f"must be one of {', '.join(_RANGES)}"
        raise invalid_request([{"type": "range", "loc": ("query", "range"), "msg": detail}])
    _, length, minutes = _RANGES[name]
    end = datetime.now(UTC)
    fields = {"from": end - length, "to": end, "step": 60 * minutes, **chosen}
    try:
        return HistoryParameters.model_validate(fields)
    except ValidationError as error:
        raise invalid_request([{**found, "loc": ("query", *found["loc"])} for found in error.errors()]) from error


async def _read(request: Request, parameters: HistoryParameters) -> HistoryView | None:
    try:
        return await history_of(request, parameters)
    except DatabaseUnavailable:
        return None


def _projects(own: str, chosen: str | None) -> list[tuple[str, str]]:
    """The choices of an administrator; another project than these can be chosen in the address."""
    others = [] if chosen in (None, own, ALL_PROJECTS) else [(str(chosen), str(chosen))]
    return [("", own), *others, (ALL_PROJECTS, "the whole service")]


def _text(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
