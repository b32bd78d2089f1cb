"""Converts rows to domain values, for the statements of `db.tasks` and `db.lists`; `columns.py` is the inverse."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from ketline.db.schema.spec import kind_fields, to_labels, to_options, to_spec
from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.attempts.claim import Claim, Dispatch, Lease, Reaped
from ketline.domain.devices.device_run import Placement
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, LeaseToken, TaskId, WorkerId
from ketline.domain.results.outputs import Output, Outputs, OutputType
from ketline.domain.results.result import Conversion, MediaType, Point, Profile, ProgramWarning, Register, WarningCode
from ketline.domain.tasks.queues import TaskQueue
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from ketline.domain.tasks.task import StatusChange, Task

_NONE = timedelta()
# The fields that a result may have beside expectation values.
RESULT_FIELDS_WITH_VALUES = ("standard_errors", "gradients", "gradient_standard_errors", "mitigation")
# The value in the column of the job's status, until the backend reports one.
SUBMITTING = "submitting"


def to_task(rows: Sequence[Row[Any]]) -> Task:
    """A task from the rows of `queries.select_task`, of which there is at least one."""
    row = rows[0]
    task = task_of(row, row.result, rows, omitted_bytes=row.result_bytes if row.result is None else None)
    return replace(
        task,
        options=to_options(
            row,
            observables=row.observables,
            noise=row.noise,
            outputs=row.outputs,
            gradient=row.gradient,
            device=row.device,
        ),
        inputs=row.inputs or {},
        remote_job=to_remote_job(row),
        time_limit_seconds=row.time_limit_seconds,
        max_attempts=row.max_attempts,
        callback=row.callback,
        task_type=row.task_type,
        wait_for_completion=bool(row.wait_for_completion),
    )


def task_of(
    row: Row[Any], result: Mapping[str, Any] | None, lines: Sequence[Row[Any]], omitted_bytes: int | None = None
) -> Task:
    """A task from its row, its result and the rows of its history, as far as these were selected."""
    return Task(
        task_id=TaskId(row.task_id),
        shots=row.shots,
        status=row.current_status,
        submitted_at=row.submitted_at,
        correlation_id=CorrelationId(row.correlation_id),
        attempt=row.attempt,
        completed_at=row.completed_at,
        options=to_options(row),
        **_outcome(result),
        omitted_result_bytes=omitted_bytes,
        profile=to_profile(row.profile) if row.profile else None,
        failure=to_failure(row),
        history=to_changes(lines),
        labels=to_labels(row),
        scheduled_for=row.scheduled_for,
        priority=row.priority,
        hold=bool(row.hold),
        **kind_fields(row, profile="qir_profile"),
        released_at=row.released_at,
        rerun_of=TaskId(row.rerun_of) if row.rerun_of else None,
        project=ProjectName(row.project),
        owner=Owner(row.owner) if row.owner else None,
    )


def to_profile(stored: Mapping[str, Any]) -> Profile:
    registers = stored.get("registers")
    known = None if registers is None else tuple(Register(**register) for register in registers)
    warnings = tuple(_to_warning(one) for one in stored.get("warnings", ()))
    placement = stored.get("placement")
    placed = None if placement is None else Placement(**placement)
    return Profile(**{**stored, "registers": known, "warnings": warnings, "placement": placed})


def _to_warning(stored: Mapping[str, Any]) -> ProgramWarning:
    return ProgramWarning(**{**stored, "code": WarningCode(stored["code"])})


def _outcome(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Counts and shots of a stored result, those of a sweep as its points; expectation values; or a conversion."""
    if result is None:
        return {}
    if "output" in result:
        binary = result.get("encoding") == "base64"
        return {"conversion": Conversion(result["output"], media_type=MediaType(result["media_type"]), base64=binary)}
    if "expectation_values" in result:
        return {name: result.get(name) for name in ("expectation_values", *RESULT_FIELDS_WITH_VALUES)}
    counts, memory, outputs = result.get("counts"), result.get("memory"), result.get("outputs")
    of_points = counts if outputs is None else outputs
    if not isinstance(of_points, list):
        saved = None if outputs is None else _to_outputs(outputs)
        return {"counts": counts, "memory": memory, "outputs": saved, "mitigation": result.get("mitigation")}
    none = [None] * len(of_points)
    points = zip(counts or none, memory or none, outputs or none, strict=True)
    return {
        "mitigation": result.get("mitigation"),
        "points": [
            Point(counts=of or {}, memory=kept, outputs=None if found is None else _to_outputs(found))
            for of, kept, found in points
        ],
    }


def _to_outputs(stored: Mapping[str, Any]) -> Outputs:
    return {
        name: Output(OutputType(one["type"]), qubits=one["qubits"], values=one["values"])
        for name, one in stored.items()
    }


def to_failure(row: Row[Any]) -> Failure | None:
    if row.error_code is None:
        return None
    return Failure(
        code=FailureCode(row.error_code),
        message=row.error_message or "",
        line=row.error_line,
        column=row.error_column,
    )


def to_changes(rows: Sequence[Row[Any]]) -> Sequence[StatusChange]:
    """Lines of history; for a task without history there is one row without a status."""
    return tuple(to_change(line) for line in rows if line.status is not None)


def to_change(row: Row[Any]) -> StatusChange:
    """One line of history."""
    return StatusChange(
        line_id=row.line_id,
        status=row.status,
        transitioned_at=row.transitioned_at,
        notes=row.notes,
        attempt=row.line_attempt,
        lease_token=row.line_lease_token,
        worker_id=row.worker_id,
        cause=row.cause,
        duration_seconds=row.duration_seconds,
    )


def to_claim(row: Row[Any], token: LeaseToken, worker_id: WorkerId) -> Claim:
    return Claim(
        lease=Lease(task_id=TaskId(row.task_id), attempt=row.attempt, token=token, worker_id=worker_id),
        project=ProjectName(row.project),
        spec=to_spec(row),
        correlation_id=CorrelationId(row.correlation_id),
        queued_seconds=max(_NONE, row.claimed_at - _runnable_since(row)).total_seconds(),
        trace_context=row.trace_context,
        remote_job=to_remote_job(row),
        job_seconds=_job_seconds(row),
    )


def _job_seconds(row: Row[Any]) -> float:
    """The seconds from the submission of a claimed task's job to the claim; 0 without a job."""
    if row.remote_submitted_at is None:
        return 0.0
    elapsed: timedelta = row.claimed_at - row.remote_submitted_at
    return max(_NONE, elapsed).total_seconds()


def to_remote_job(row: Row[Any]) -> RemoteJob | None:
    """The job of a task at its backend, if it has one."""
    if row.remote_status is None:
        return None
    status = None if row.remote_status == SUBMITTING else RemoteStatus(row.remote_status)
    return RemoteJob(row.remote_id, status)


def _runnable_since(row: Row[Any]) -> datetime:
    """When the task could run for the first time, before any deferral or retry."""
    runnable_since: datetime = row.released_at or row.submitted_at
    return runnable_since if row.scheduled_for is None else max(runnable_since, row.scheduled_for)


def to_dispatch(row: Row[Any]) -> Dispatch:
    return Dispatch(
        task_id=TaskId(row.task_id),
        correlation_id=CorrelationId(row.correlation_id),
        trace_context=row.trace_context,
        queue=TaskQueue.named(row.queue),
    )


def to_reaped(row: Row[Any], cause: str) -> Reaped:
    return Reaped(
        task_id=TaskId(row.task_id),
        correlation_id=CorrelationId(row.correlation_id),
        attempt=row.attempt,
        worker_id=WorkerId(row.lease_owner),
        status=row.current_status,
        cause=cause,
        trace_context=row.trace_context,
        held_seconds=max(_NONE, row.at - row.claimed_at).total_seconds(),
    )
