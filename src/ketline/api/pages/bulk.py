"""The pages that cancel or rerun several tasks at once, after a confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ketline.api.pages.forms import Form, read_form
from ketline.api.pages.responses import page
from ketline.api.responses.errors import KINDS, HTTPProblem
from ketline.api.services import actor_of, correlation_id_of, principal_of, services_of
from ketline.api.tasks.changes import require_permitted
from ketline.domain.errors import BacklogFull, KetlineError, QuotaExceeded, TaskEnded, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.limits import MAX_PAGE_TASKS

router = APIRouter(prefix="/ui", include_in_schema=False)


class Action(StrEnum):
    """The action on each of the tasks."""

    CANCEL = "cancel"
    RERUN = "rerun"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskActionResult:
    """The result of the action on one task, shown as a sentence; `new_task_id` is that of a rerun."""

    task_id: UUID
    text: str
    done: bool = False
    new_task_id: UUID | None = None


@router.post("/bulk")
async def act(request: Request) -> Response:
    """Show the confirmation, or, once confirmed, act on one task after the other."""
    form = await read_form(request)
    action, picked = _selection(form)
    shown: dict[str, object] = {"action": action, "back": _back(form)}
    if ("confirmed", "yes") not in form or not picked:
        return page(request, "confirm.html", {**shown, "picked": picked})
    results = [await _apply(request, action, task_id) for task_id in picked]
    return page(request, "results.html", {**shown, "results": results})


def _selection(form: Form) -> tuple[Action, Sequence[TaskId]]:
    try:
        action = Action(next((value for name, value in form if name == "action"), ""))
        picked = [TaskId(UUID(value)) for name, value in form if name == "task"]
    except ValueError as error:
        raise HTTPProblem("bad_request", "The form has no valid tasks or no valid action.") from error
    if len(picked) > MAX_PAGE_TASKS:
        raise HTTPProblem("bad_request", f"At most {MAX_PAGE_TASKS} tasks can be selected at once.")
    return action, list(dict.fromkeys(picked))


def _back(form: Form) -> str:
    """The query string of the list from which the tasks were selected."""
    return urlencode(parse_qsl(next((value for name, value in form if name == "back"), "")))


async def _apply(request: Request, action: Action, task_id: TaskId) -> TaskActionResult:
    try:
        return await (_cancel if action is Action.CANCEL else _rerun)(request, task_id)
    except TaskNotFound:
        return TaskActionResult(task_id=task_id, text="was not found")
    except TaskEnded as error:
        return TaskActionResult(task_id=task_id, text=f"had ended: it is {error.status}")
    except BacklogFull:
        return TaskActionResult(task_id=task_id, text="was not run again: too many tasks wait")
    except QuotaExceeded as error:
        return TaskActionResult(task_id=task_id, text=f"was not run again: {error}")
    except HTTPProblem as problem:
        return TaskActionResult(task_id=task_id, text=f"was not run again: {problem.detail}")
    except KetlineError as error:
        if error.code not in KINDS:
            raise
        return TaskActionResult(task_id=task_id, text=f"may be unchanged: {KINDS[error.code].detail}")


async def _cancel(request: Request, task_id: TaskId) -> TaskActionResult:
    await services_of(request).cancel(task_id, actor_of(request))
    return TaskActionResult(task_id=task_id, text="is cancelled", done=True)


async def _rerun(request: Request, task_id: TaskId) -> TaskActionResult:
    accepted = await services_of(request).rerun(
        task_id,
        correlation_id=correlation_id_of(request),
        permit=lambda submission: require_permitted(request, submission),
        new_seed=True,
        owner=principal_of(request).owner,
    )
    return TaskActionResult(task_id=task_id, text="runs again as", done=True, new_task_id=accepted.task_id)
