"""Write tasks the way clients see them."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from ketline.api.errors import Refusal
from ketline.domain.task import Failure, Profile, StatusChange, Task, TaskStatus
from ketline.schemas.tasks import StatusEntry, TaskFailure, TaskProfile, TaskResult, TaskView

_MESSAGES: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "Task is still in progress.",
    TaskStatus.PROCESSING: "Task is being processed.",
    TaskStatus.COMPLETED: "Task completed successfully.",
    TaskStatus.FAILED: "Task execution failed.",
    TaskStatus.CANCELLED: "Task was cancelled.",
}

_NO_COUNTS: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "result_not_ready",
    TaskStatus.PROCESSING: "result_not_ready",
    TaskStatus.FAILED: "task_failed",
    TaskStatus.CANCELLED: "task_cancelled",
}


def view_task(task: Task, *, with_result: bool = True) -> TaskView:
    """A task with everything a client may see, or all but its result; lease tokens stay inside."""
    return TaskView(
        task_id=task.task_id,
        status=task.status,
        submitted_at=task.submitted_at,
        completed_at=task.completed_at,
        message=_MESSAGES[task.status],
        shots=task.shots,
        seed=task.options.seed,
        name=task.labels.name,
        tags=list(task.labels.tags) or None,
        metadata=cast("dict[str, JsonValue]", task.labels.metadata) or None,
        scheduled_for=task.scheduled_for,
        rerun_of=task.rerun_of,
        result=_view_result(task) if with_result else None,
        error=_view_failure(task.failure),
        profile=_view_profile(task.profile),
        status_history=[view_change(change) for change in task.history],
        correlation_id=task.correlation_id,
    )


def counts_of(task: Task) -> Mapping[str, int]:
    """A completed task's counts.

    Raises:
        Refusal: the task has none, or none yet.
    """
    if task.counts is not None:
        return task.counts
    code = _NO_COUNTS[task.status]
    detail = f"Task {task.task_id} has no counts: it is {task.status}."
    raise Refusal(code, detail, task_status=task.status, failure=_view_failure(task.failure))


def memory_of(task: Task) -> Sequence[str]:
    """The outcome of every shot of a completed task.

    Raises:
        Refusal: the task has none, or none yet.
    """
    counts_of(task)
    if task.memory is None:
        raise Refusal("no_memory", task_status=task.status)
    return task.memory


def _view_result(task: Task) -> TaskResult | None:
    if task.counts is None:
        return None
    memory = None if task.memory is None else list(task.memory)
    return TaskResult(counts=dict(task.counts), shots=task.shots, memory=memory)


def _view_failure(failure: Failure | None) -> TaskFailure | None:
    if failure is None:
        return None
    return TaskFailure(code=failure.code, message=failure.message, line=failure.line, column=failure.column)


def _view_profile(profile: Profile | None) -> TaskProfile | None:
    if profile is None:
        return None
    return TaskProfile(
        method=profile.method,
        method_reason=profile.method_reason,
        qubits=profile.qubits,
        depth=profile.depth,
        operations=dict(profile.operations),
        queued_seconds=profile.queued_seconds,
        parsing_seconds=profile.parsing_seconds,
        tier=profile.tier,
        simulating_seconds=profile.simulating_seconds,
    )


def view_change(change: StatusChange) -> StatusEntry:
    """A line of history; lease tokens stay inside."""
    return StatusEntry(
        status=change.status,
        transitioned_at=change.transitioned_at,
        notes=change.notes,
        attempt=change.attempt,
        worker_id=change.worker_id,
        cause=change.cause,
        duration_seconds=change.duration_seconds,
    )
