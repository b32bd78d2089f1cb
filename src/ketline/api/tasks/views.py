"""Converts tasks to the shapes of responses, for every route that shows one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, cast

from pydantic import JsonValue

from ketline.api.legacy.meta_data import view_meta_data
from ketline.api.responses.errors import HTTPProblem
from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.device_run import Placement
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.results.outputs import Outputs
from ketline.domain.results.result import Point, Profile
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.priority import QueuePosition
from ketline.domain.tasks.remote_job import RemoteJob
from ketline.domain.tasks.submission import Accepted
from ketline.domain.tasks.task import StatusChange, Task
from ketline.schemas.device_runs import PlacementView
from ketline.schemas.outputs import OutputView
from ketline.schemas.submissions import TaskAccepted
from ketline.schemas.tasks import (
    QueueView,
    RegisterView,
    RemoteJobView,
    StatusEntry,
    TaskFailure,
    TaskProfile,
    TaskResult,
    TaskView,
    WarningView,
)

MESSAGES: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "Task is still in progress.",
    TaskStatus.PROCESSING: "Task is being processed.",
    TaskStatus.COMPLETED: "Task completed successfully.",
    TaskStatus.FAILED: "Task execution failed.",
    TaskStatus.CANCELLED: "Task was cancelled.",
}

_COUNTED = frozenset(FailureCode)

_NO_COUNTS: Mapping[TaskStatus, str] = {
    TaskStatus.PENDING: "result_not_ready",
    TaskStatus.PROCESSING: "result_not_ready",
    TaskStatus.FAILED: "task_failed",
    TaskStatus.CANCELLED: "task_cancelled",
}


def view_accepted(accepted: Accepted) -> TaskAccepted:
    """The response to a stored submission."""
    return TaskAccepted(
        task_id=accepted.task_id, submitted_at=accepted.submitted_at, correlation_id=accepted.correlation_id
    )


def view_task(task: Task, *, with_result: bool = True, position: QueuePosition | None = None) -> TaskView:
    """A task as clients see it, without lease tokens; without its result if `with_result` is False.

    `position` is its position in the queue, if that was requested.
    """
    return TaskView(
        task_id=task.task_id,
        status=task.status,
        submitted_at=task.submitted_at,
        completed_at=task.completed_at,
        message=MESSAGES[task.status],
        shots=task.shots,
        seed=task.options.seed,
        method=task.options.method,
        memory=task.options.memory or None,
        inputs=cast("dict[str, JsonValue]", task.inputs) or None,
        observables=cast("list[JsonValue]", list(task.options.observables)) or None,
        # As with other large noise, a poll does not read it.
        noise=None if isinstance(task.options.noise, StoredNoise) else cast("JsonValue", task.options.noise),
        sampled=task.options.sampled or None,
        precision=task.options.precision,
        mitigation=cast("dict[str, JsonValue] | None", task.options.mitigation and task.options.mitigation.as_json()),
        outputs=cast("list[JsonValue]", [one.as_json() for one in task.options.outputs]) or None,
        gradient=cast("JsonValue", task.options.gradient and task.options.gradient.as_json()),
        device=cast("dict[str, JsonValue] | None", task.options.device and task.options.device.as_stored()),
        timeout_s=task.time_limit_seconds,
        max_attempts=task.max_attempts,
        retry_count=_retries(task),
        max_retries=None if task.max_attempts is None else task.max_attempts - 1,
        updated_at=_updated_at(task),
        program_format=None if task.options.format is ProgramFormat.OPENQASM3 else task.options.format,
        name=task.labels.name,
        tags=list(task.labels.tags) or None,
        metadata=cast("dict[str, JsonValue]", task.labels.metadata) or None,
        scheduled_for=task.scheduled_for,
        priority=task.priority or None,
        kind=None if task.kind is TaskKind.SIMULATE else task.kind,
        target=task.target,
        qir_profile=task.qir_profile,
        bitcode=task.bitcode or None,
        backend=task.backend,
        remote_job=_view_remote_job(task.remote_job),
        hold=task.hold or None,
        released_at=task.released_at,
        rerun_of=task.rerun_of,
        owner=task.owner,
        callback=task.callback,
        project=None if task.project == DEFAULT_PROJECT else task.project,
        queue=_view_position(position),
        result=_view_result(task) if with_result else None,
        error=view_failure(task.failure),
        profile=view_profile(task.profile),
        task_type=task.task_type,
        created_at=None if task.task_type is None else task.submitted_at,
        meta_data=None if task.task_type is None else view_meta_data(task),
        status_history=[view_change(change) for change in task.history],
        correlation_id=task.correlation_id,
    )


def _retries(task: Task) -> int:
    """The number of counted attempts after which the task went back to pending; other causes are not failures."""
    return sum(line.status is TaskStatus.PENDING and line.cause in _COUNTED for line in task.history)


def _updated_at(task: Task) -> datetime | None:
    times = [line.transitioned_at for line in task.history[-1:]]
    return max([*times, task.released_at] if task.released_at else times, default=None)


def _view_remote_job(job: RemoteJob | None) -> RemoteJobView | None:
    if job is None:
        return None
    return RemoteJobView(id=job.remote_id, status="submitting" if job.status is None else job.status.value)


def _view_position(position: QueuePosition | None) -> QueueView | None:
    if position is None:
        return None
    return QueueView(
        position=position.position,
        at_least=None if position.counted_to_the_end else True,
        estimated_start=position.estimated_start,
    )


def outcomes_of(task: Task) -> Sequence[Point]:
    """A completed task's counts and shots, for each point of a sweep; a task without a sweep is one point.

    Raises:
        HTTPProblem: the task has no counts, or none yet.
    """
    if task.points is not None and task.points[0].counts:
        return task.points
    if task.counts is not None:
        return [Point(counts=task.counts, memory=task.memory)]
    require_completed(task)
    raise HTTPProblem("no_counts", task_status=task.status)


def require_completed(task: Task) -> None:
    """Return if a task has a result of some kind.

    Raises:
        HTTPProblem: it has none, or none yet.
    """
    if task.status is TaskStatus.COMPLETED:
        return
    code = _NO_COUNTS[task.status]
    detail = f"Task {task.task_id} has no result: it is {task.status}."
    raise HTTPProblem(code, detail, task_status=task.status, failure=view_failure(task.failure))


def memory_of(task: Task, point: Point) -> Sequence[str]:
    """The outcome of every shot of a point of a completed task.

    Raises:
        HTTPProblem: the task was submitted without `memory`.
    """
    if point.memory is None:
        raise HTTPProblem("no_memory", task_status=task.status)
    return point.memory


def _view_result(task: Task) -> TaskResult | None:
    if task.conversion is not None:
        output = task.conversion
        encoding: Literal["base64"] | None = "base64" if output.base64 else None
        return TaskResult(output=output.content, encoding=encoding, media_type=output.media_type)
    if task.expectation_values is not None:
        return TaskResult(
            expectation_values=cast("list[float] | list[list[float]]", task.expectation_values),
            standard_errors=cast("list[float] | list[list[float]] | None", task.standard_errors),
            mitigation=_view_mitigation(task),
            gradients=cast("list[JsonValue]", task.gradients),
            gradient_standard_errors=cast("list[JsonValue]", task.gradient_standard_errors),
        )
    if task.points is not None:
        return _view_points(task, task.points)
    if task.counts is None:
        return None if task.outputs is None else TaskResult(outputs=view_outputs(task.outputs))
    memory = None if task.memory is None else list(task.memory)
    outputs = None if task.outputs is None else view_outputs(task.outputs)
    return TaskResult(
        counts=dict(task.counts), shots=task.shots, memory=memory, outputs=outputs, mitigation=_view_mitigation(task)
    )


def _view_mitigation(task: Task) -> dict[str, JsonValue] | None:
    return cast("dict[str, JsonValue] | None", task.mitigation)


def _view_points(task: Task, points: Sequence[Point]) -> TaskResult:
    """The result of a sweep; all points have the same parts."""
    counted, kept, saved = points[0].counts, points[0].memory, points[0].outputs
    return TaskResult(
        counts=[dict(point.counts) for point in points] if counted else None,
        shots=task.shots if counted else None,
        memory=None if kept is None else [list(point.memory or ()) for point in points],
        outputs=None if saved is None else [view_outputs(point.outputs or {}) for point in points],
        mitigation=_view_mitigation(task),
    )


def view_outputs(outputs: Outputs) -> dict[str, OutputView]:
    """The outputs of one point."""
    return {
        name: OutputView(type=one.type, qubits=list(one.qubits), values=cast("JsonValue", one.values))
        for name, one in outputs.items()
    }


def view_failure(failure: Failure | None) -> TaskFailure | None:
    """Why a task has no result, None if it has one or has not ended."""
    if failure is None:
        return None
    return TaskFailure(code=failure.code, message=failure.message, line=failure.line, column=failure.column)


def view_profile(profile: Profile | None) -> TaskProfile | None:
    """How a task was run; None if it has not ended or was not simulated."""
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
        engine=profile.engine,
        tier=profile.tier,
        seed_scheme=profile.seed_scheme,
        registers=_view_registers(profile),
        warnings=_view_warnings(profile),
        simulating_seconds=profile.simulating_seconds,
        processor_seconds=profile.processor_seconds,
        memory_bytes=profile.memory_bytes,
        placement=view_placement(profile.placement),
    )


def view_placement(placement: Placement | None) -> PlacementView | None:
    """Where a program was placed on a device, None without one."""
    if placement is None:
        return None
    return PlacementView(
        device=placement.device,
        digest=placement.digest,
        optimization_level=placement.optimization_level,
        layout=list(placement.layout),
        final_layout=list(placement.final_layout),
        depth=placement.depth,
        two_qubit_gates=placement.two_qubit_gates,
    )


def _view_registers(profile: Profile) -> list[RegisterView] | None:
    if profile.registers is None:
        return None
    return [RegisterView(name=register.name, bits=register.bits) for register in profile.registers]


def _view_warnings(profile: Profile) -> list[WarningView] | None:
    """The warnings, None if there are none, so that the field is left out."""
    warnings = profile.warnings
    return [
        WarningView(code=warning.code, message=warning.message, line=warning.line, column=warning.column)
        for warning in warnings
    ] or None


def view_change(change: StatusChange) -> StatusEntry:
    """A change of status, without lease tokens."""
    return StatusEntry(
        status=change.status,
        transitioned_at=change.transitioned_at,
        notes=change.notes,
        attempt=change.attempt,
        worker_id=change.worker_id,
        cause=change.cause,
        duration_seconds=change.duration_seconds,
    )
