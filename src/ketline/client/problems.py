"""Make errors of answers that are none."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ketline.client.errors import (
    BacklogFull,
    ClientError,
    FieldFault,
    NoResult,
    RequestRefused,
    ServiceUnreachable,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
    UnexpectedAnswer,
)
from ketline.client.models import Task
from ketline.client.wire import Lost, Response
from ketline.domain.task import TaskStatus

_CLASSES: Mapping[str, type[RequestRefused]] = {
    "task_not_found": TaskNotFound,
    "backlog_full": BacklogFull,
    "result_not_ready": NoResult,
    "task_failed": NoResult,
    "task_cancelled": NoResult,
    "no_memory": NoResult,
}


def error_of(outcome: Response | Lost, url: str) -> ClientError:
    """What to raise for an answer that is none."""
    if isinstance(outcome, Lost):
        return ServiceUnreachable(f"No answer from {url}: {outcome.reason}.")
    try:
        problem = json.loads(outcome.body)
        return _refusal(problem, outcome.status)
    except (ValueError, TypeError, KeyError, AttributeError):
        return _no_problem(outcome, url)


def document_of(response: Response, url: str) -> Any:
    """The JSON of an answer.

    Raises:
        UnexpectedAnswer: it is not JSON.
    """
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise not_ketline(url) from error


def not_ketline(url: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"What answers at {url} is not Ketline, or another version of it.")


def failure_of(task: Task, program: str | None = None) -> TaskFailed:
    """What to raise for a task that ended without a result; with the line of the program, where that is known."""
    shape = TaskCancelled if task.status is TaskStatus.CANCELLED else TaskFailed
    if task.error is None:
        return shape(f"Task {task.task_id} is {task.status}.", code=str(task.status), task_id=task.task_id, reason="")
    error = task.error
    place = "".join(f" at {name} {number}" for name, number in (("line", error.line),) if number is not None)
    place += f", column {error.column}" if error.line is not None and error.column is not None else ""
    text = "\n".join([f"{error.code}{place}: {error.message}", *pointer(program, error.line, error.column)])
    return shape(
        text, code=error.code, task_id=task.task_id, reason=error.message, line=error.line, column=error.column
    )


def pointer(program: str | None, line: int | None, column: int | None) -> Sequence[str]:
    """The line of a program and, below it, a caret under the column; nothing where that is not known."""
    lines = (program or "").splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ()
    shown = f"  {lines[line - 1].expandtabs(1)}"
    return (shown,) if column is None else (shown, f"  {' ' * (column - 1)}^")


def _refusal(problem: Any, status: int) -> RequestRefused:
    faults = [
        FieldFault(detail=one["detail"], pointer=one.get("pointer"), parameter=one.get("parameter"))
        for one in problem.get("errors") or ()
    ]
    failure = problem.get("error") or {}
    code = problem["code"]
    return _CLASSES.get(code, RequestRefused)(
        problem["detail"],
        code=code,
        status=status,
        correlation_id=problem.get("correlation_id"),
        faults=faults,
        task_status=problem.get("task_status"),
        line=failure.get("line"),
        column=failure.get("column"),
    )


def _no_problem(response: Response, url: str) -> ClientError:
    if 300 <= response.status < 400:
        place = response.headers.get("location", "another address")
        return UnexpectedAnswer(f"{url} sends on to {place}: give the address of the service itself.")
    return RequestRefused(f"{url} answered {response.status}.", code="unknown", status=response.status)
