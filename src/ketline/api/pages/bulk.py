"""Cancel or rerun several tasks at once, after a page that asks whether to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ketline.api.pages.answers import page
from ketline.api.pages.forms import Form, read_form
from ketline.api.responses.errors import KINDS, HTTPProblem
from ketline.api.services import correlation_id_of, services_of
from ketline.api.tasks.changes import require_permitted
from ketline.domain.errors import BacklogFull, KetlineError, TaskEnded, TaskNotFound
from ketline.domain.task import TaskId
from ketline.schemas.lists import MOST_LISTED

router = APIRouter(prefix="/ui", include_in_schema=False)


class Action(StrEnum):
    """What is done to each of the tasks."""

    CANCEL = "cancel"
    RERUN = "rerun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one task; `made` is the task that runs it again."""

    task_id: UUID
    said: str
    done: bool = False
    made: UUID | None = None


@router.post("/bulk")
async def act(request: Request) -> Response:
    """Ask first; when the answer comes, do it to one task after the other."""
    form = await read_form(request)
    action, picked = _asked(form)
    shown: dict[str, object] = {"action": action, "back": _back(form)}
    if ("confirmed", "yes") not in form or not picked:
        return page(request, "confirm.html", {**shown, "picked": picked})
    outcomes = [await _done(request, action, task_id) for task_id in picked]
    return page(request, "outcomes.html", {**shown, "outcomes": outcomes})


def _asked(form: Form) -> tuple[Action, Sequence[TaskId]]:
    try:
        action = Action(next((value for name, value in form if name == "action"), ""))
        picked = [TaskId(UUID(value)) for name, value in form if name == "task"]
    except ValueError as error:
        raise HTTPProblem("bad_request", "The form names no tasks, or nothing that can be done to them.") from error
    if len(picked) > MOST_LISTED:
        raise HTTPProblem("bad_request", f"At most {MOST_LISTED} tasks can be picked at once.")
    return action, list(dict.fromkeys(picked))


def _back(form: Form) -> str:
    """The list that the tasks were picked from, as the query of its address and nothing else."""
    return urlencode(parse_qsl(next((value for name, value in form if name == "back"), "")))


async def _done(request: Request, action: Action, task_id: TaskId) -> Outcome:
    try:
        return await (_cancelled if action is Action.CANCEL else _rerun)(request, task_id)
    except TaskNotFound:
        return Outcome(task_id=task_id, said="was not found")
    except TaskEnded as error:
        return Outcome(task_id=task_id, said=f"had ended: it is {error.status}")
    except BacklogFull:
        return Outcome(task_id=task_id, said="was not run again: too many tasks wait")
    except HTTPProblem as refusal:
        return Outcome(task_id=task_id, said=f"was not run again: {refusal.detail}")
    except KetlineError as error:
        if error.code not in KINDS:
            raise
        return Outcome(task_id=task_id, said=f"may be unchanged: {KINDS[error.code].detail}")


async def _cancelled(request: Request, task_id: TaskId) -> Outcome:
    await services_of(request).submissions.cancel(task_id)
    return Outcome(task_id=task_id, said="is cancelled", done=True)


async def _rerun(request: Request, task_id: TaskId) -> Outcome:
    accepted = await services_of(request).rerun(
        task_id,
        correlation_id=correlation_id_of(request),
        permit=lambda submission: require_permitted(request, submission),
        new_seed=True,
    )
    return Outcome(task_id=task_id, said="runs again as", done=True, made=accepted.task_id)
