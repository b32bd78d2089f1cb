"""Converts rows to domain values, and domain values to columns, for the statements of `db.tasks` and `db.lists`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from ketline.db.schema.spec import kind_fields, to_labels, to_options, to_spec
from ketline.domain.access import Owner, ProjectName
from ketline.domain.counts import EncodedCounts
from ketline.domain.device_run import Placement
from ketline.domain.outputs import Output, Outputs, OutputType
from ketline.domain.queues import TaskQueue
from ketline.domain.task import (
    Claim,
    Conversion,
    CorrelationId,
    Dispatch,
    Failure,
    FailureCode,
    Lease,
    LeaseToken,
    MediaType,
    Point,
    Profile,
    ProgramWarning,
    Reaped,
    Register,
    RemoteJob,
    RemoteStatus,
    RunResult,
    StatusChange,
    Task,
    TaskId,
    WarningCode,
    WorkerId,
)

_NONE = timedelta()
# What a result may have beside expectation values.
_WITH_VALUES = ("standard_errors", "gradients", "gradient_standard_errors", "mitigation")
# In the column of the job's status, while it has none.
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
        return {name: result.get(name) for name in ("expectation_values", *_WITH_VALUES)}
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


def remote_columns(job: RemoteJob | None) -> dict[str, object]:
    """The columns of the job of a task at its backend, None if it has none."""
    if job is None:
        return {"remote_id": None, "remote_status": None}
    return {"remote_id": job.remote_id, "remote_status": SUBMITTING if job.status is None else job.status.value}


def _runnable_since(row: Row[Any]) -> datetime:
    """When the task could run for the first time, before any deferral or retry."""
    runnable_since: datetime = row.released_at or row.submitted_at
    return runnable_since if row.scheduled_for is None else max(runnable_since, row.scheduled_for)


def attempt_columns(lease: Lease, duration: timedelta | None = None, cause: str | None = None) -> dict[str, object]:
    """The columns of a line of history about an attempt; `duration` and `cause` are on the line that ends it."""
    return {
        "attempt": lease.attempt,
        "lease_token": lease.token,
        "worker_id": lease.worker_id,
        "duration_seconds": max(_NONE, duration).total_seconds() if duration is not None else None,
        "cause": cause,
    }


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


def result_columns(result: RunResult) -> Mapping[str, str]:
    """The columns of a result as JSON text, into which counts that are encoded already go as they are."""
    return {"result": _result_text(result), "profile": json.dumps(_profile(result.profile))}


def _profile(profile: Profile) -> Mapping[str, object]:
    return {
        "method": profile.method,
        "method_reason": profile.method_reason,
        "qubits": profile.qubits,
        "depth": profile.depth,
        "operations": dict(profile.operations),
        "parsing_seconds": profile.parsing_seconds,
        "simulating_seconds": profile.simulating_seconds,
        "queued_seconds": profile.queued_seconds,
        **({} if profile.engine is None else {"engine": profile.engine}),
        "tier": profile.tier,
        **({} if profile.seed_scheme is None else {"seed_scheme": profile.seed_scheme}),
        **_registers(profile),
        **_warnings(profile),
        **({} if profile.placement is None else {"placement": asdict(profile.placement)}),
        **_measured(profile),
    }


def _registers(profile: Profile) -> Mapping[str, object]:
    if profile.registers is None:
        return {}
    return {"registers": [{"name": register.name, "bits": register.bits} for register in profile.registers]}


def _warnings(profile: Profile) -> Mapping[str, object]:
    """The warnings as JSON; left out if there are none, so that rows stay short."""
    if not profile.warnings:
        return {}
    return {"warnings": [asdict(warning) for warning in profile.warnings]}


def _measured(profile: Profile) -> Mapping[str, object]:
    measured = {"processor_seconds": profile.processor_seconds, "memory_bytes": profile.memory_bytes}
    return {name: value for name, value in measured.items() if value is not None}


def _result_text(result: RunResult) -> str:
    if isinstance(result.counts, EncodedCounts):
        return f'{{"counts":{result.counts.text},"shots":{result.shots},"success":true}}'
    return json.dumps({**_result(result), "success": True})


def _result(result: RunResult) -> Mapping[str, object]:
    if result.expectation_values is not None:
        others = {name: getattr(result, name) for name in _WITH_VALUES}
        found = {name: value for name, value in others.items() if value is not None}
        return {"expectation_values": result.expectation_values, **found}
    if (output := result.conversion) is not None:
        encoding = {"encoding": "base64"} if output.base64 else {}
        return {"output": output.content, "media_type": output.media_type, **encoding}
    mitigation = {} if result.mitigation is None else {"mitigation": result.mitigation}
    return {**_outputs(result), **_counts(result), **mitigation}


def _counts(result: RunResult) -> Mapping[str, object]:
    """Counts and shots, none if the task has outputs and no counts."""
    points = result.points
    if points is None:
        return {} if not result.counts else {"counts": dict(result.counts), "shots": result.shots, **_shots(result)}
    if not points[0].counts:
        return {}
    return {"counts": [dict(point.counts) for point in points], "shots": result.shots, **_shots(result)}


def _outputs(result: RunResult) -> Mapping[str, object]:
    """The outputs, of a sweep those of each point; the type of the elements is that of the task."""
    if result.outputs is not None:
        return {"outputs": _encoded(result.outputs)}
    if result.points is not None and result.points[0].outputs is not None:
        return {"outputs": [_encoded(point.outputs or {}) for point in result.points]}
    return {}


def _encoded(outputs: Outputs) -> Mapping[str, object]:
    return {name: {"type": one.type.value, "qubits": one.qubits, "values": one.values} for name, one in outputs.items()}


def _shots(result: RunResult) -> Mapping[str, object]:
    if result.points is not None and result.points[0].memory is not None:
        return {"memory": [list(point.memory or ()) for point in result.points]}
    return {} if result.memory is None else {"memory": list(result.memory)}


def failure_columns(failure: Failure) -> Mapping[str, object]:
    return {
        "error_code": failure.code.value,
        "error_message": failure.message,
        "error_line": failure.line,
        "error_column": failure.column,
    }
