"""Conversion of failed responses and failed tasks into the client's exceptions, which flows and handles raise."""

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
from ketline.client.steps import Lost, Response
from ketline.domain.status import TaskStatus

_CLASSES: Mapping[str, type[RequestRefused]] = {
    "task_not_found": TaskNotFound,
    "backlog_full": BacklogFull,
    "result_not_ready": NoResult,
    "task_failed": NoResult,
    "task_cancelled": NoResult,
    "no_memory": NoResult,
    "no_outputs": NoResult,
}


def error_of(outcome: Response | Lost, url: str) -> ClientError:
    """The exception for a lost response, or for one with an error status."""
    if isinstance(outcome, Lost):
        return ServiceUnreachable(f"Cannot reach {url}: {outcome.reason}.")
    try:
        problem = json.loads(outcome.body)
        return _rejection(problem, outcome.status)
    except (ValueError, TypeError, KeyError, AttributeError):
        return _without_problem(outcome, url)


def document_of(response: Response, url: str) -> Any:
    """Decode the JSON of a response.

    Raises:
        UnexpectedAnswer: the body is not JSON.
    """
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise not_ketline(url) from error


def not_ketline(url: str) -> UnexpectedAnswer:
    """The exception for a response of an unexpected shape."""
    return UnexpectedAnswer(f"The server at {url} is not Ketline, or a version that this client does not know.")


def failure_of(task: Task, program: str | None = None) -> TaskFailed:
    """The exception for a task that ended without a result; with the line of the program, if it is known."""
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
    """The line of the program and a line with a caret under the column; empty if the line is not known."""
    lines = (program or "").splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ()
    shown = f"  {lines[line - 1].expandtabs(1)}"
    return (shown,) if column is None else (shown, f"  {' ' * (column - 1)}^")


def _rejection(problem: Any, status: int) -> RequestRefused:
    faults = [
        FieldFault(detail=fault["detail"], pointer=fault.get("pointer"), parameter=fault.get("parameter"))
        for fault in problem.get("errors") or ()
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


def _without_problem(response: Response, url: str) -> ClientError:
    if 300 <= response.status < 400:
        place = response.headers.get("location", "another address")
        return UnexpectedAnswer(f"{url} redirects to {place}: use the address of the service itself.")
    return RequestRefused(f"{url} answered {response.status}.", code="unknown", status=response.status)
