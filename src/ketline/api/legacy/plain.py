"""Tasks in the plain shape, which clients of older services read: bare counts, and errors as text.

Such clients poll while a task is `pending`, until it is `completed` or `failed`. They know no other status.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, Response

from ketline.api.responses.compression import Packed, pack, unpacked_response
from ketline.api.responses.formats import JSON
from ketline.api.responses.representation import takes_gzip
from ketline.api.tasks.stored import large_results, whole_task
from ketline.api.tasks.views import MESSAGES, view_task
from ketline.domain.failures import Failure
from ketline.domain.results.outputs import Outputs
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.task import Task

_STATUSES: Mapping[TaskStatus, TaskStatus] = {
    TaskStatus.PROCESSING: TaskStatus.PENDING,
    TaskStatus.CANCELLED: TaskStatus.FAILED,
}


def view_plain(task: Task, *, with_result: bool, position: QueuePosition | None = None) -> dict[str, Any]:
    """A task in the plain shape, as JSON; fields without a value are left out.

    `result` has the counts in Qiskit's format (bit 0 rightmost), of a sweep a list of them; of a task with observables
    it has their expectation values, of one with outputs and no counts their values by name, and of a conversion its
    output. While a job waits at an external backend, it says
    so, with the backend's id of the job, unless the client waits for completion.
    """
    full = view_task(task, with_result=False, position=position).model_dump(mode="json", exclude_none=True)
    status = _STATUSES.get(task.status, task.status)
    plain = {
        "task_id": full["task_id"],
        "status": status.value,
        "message": MESSAGES[TaskStatus.CANCELLED if task.status is TaskStatus.CANCELLED else status],
        "result": _bare_result(task) if with_result else None,
        "error": _error_text(task) if status is TaskStatus.FAILED else None,
    }
    first = {name: value for name, value in plain.items() if value is not None}
    return first | {name: value for name, value in full.items() if name not in plain}


async def plain_response(
    request: Request, task: Task, *, headers: Mapping[str, str], with_result: bool, position: QueuePosition | None
) -> Response:
    """The response with a task in the plain shape; large results are read one at a time.

    Raises:
        HTTPProblem: the task was deleted meanwhile.
        DatabaseUnavailable: its result could not be read.
    """
    view = _encoded(view_plain(task, with_result=with_result, position=position))
    if not with_result or task.omitted_result_bytes is None:
        return Response(view, 200, dict(headers), JSON)

    async def make() -> Packed:
        whole = await whole_task(request, task.task_id)
        return await asyncio.to_thread(lambda: pack([_encoded(view_plain(whole, with_result=True))]))

    packed = await large_results(request).packed(f"plain {view!r}", make)
    sent = {**headers, "Vary": "Accept-Encoding"}
    return unpacked_response(packed, JSON, sent, compressed=takes_gzip(request))


def _encoded(view: Mapping[str, Any]) -> bytes:
    return json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode()


def _bare_result(task: Task) -> Mapping[str, Any] | Sequence[Any] | str | None:
    job = task.remote_job
    if job is not None and job.remote_id is not None and not (task.status.terminal or task.wait_for_completion):
        return {"status": "submitted", "job_id": job.remote_id}
    if task.conversion is not None:
        return task.conversion.content
    if task.expectation_values is not None:
        return list(task.expectation_values)
    if task.outputs is not None and task.counts is None:
        return _bare_outputs(task.outputs)
    if task.points is not None:
        return [dict(point.counts) or _bare_outputs(point.outputs or {}) for point in task.points]
    return None if task.counts is None else dict(task.counts)


def _bare_outputs(outputs: Outputs) -> Mapping[str, Any]:
    """The values of outputs by name."""
    return {name: one.values for name, one in outputs.items()}


def _error_text(task: Task) -> str:
    """The message of a failure, with line and column before it where they are known."""
    if task.failure is None:
        return MESSAGES[task.status]
    return f"{_place(task.failure)}{task.failure.message}"


def _place(failure: Failure) -> str:
    if failure.line is None:
        return ""
    return f"line {failure.line}{'' if failure.column is None else f', column {failure.column}'}: "
