"""Converts domain values to columns of tasks and of lines of history, for the statements of `db.tasks`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from ketline.db.schema.rows import RESULT_FIELDS_WITH_VALUES, SUBMITTING
from ketline.domain.attempts.claim import Lease
from ketline.domain.failures import Failure
from ketline.domain.results.counts import EncodedCounts
from ketline.domain.results.outputs import Outputs
from ketline.domain.results.result import Profile, RunResult
from ketline.domain.tasks.remote_job import RemoteJob

_NONE = timedelta()


def remote_columns(job: RemoteJob | None) -> dict[str, object]:
    """The columns of the job of a task at its backend, None if it has none."""
    if job is None:
        return {"remote_id": None, "remote_status": None}
    return {"remote_id": job.remote_id, "remote_status": SUBMITTING if job.status is None else job.status.value}


def attempt_columns(lease: Lease, duration: timedelta | None = None, cause: str | None = None) -> dict[str, object]:
    """The columns of a line of history about an attempt; `duration` and `cause` are on the line that ends it."""
    return {
        "attempt": lease.attempt,
        "lease_token": lease.token,
        "worker_id": lease.worker_id,
        "duration_seconds": max(_NONE, duration).total_seconds() if duration is not None else None,
        "cause": cause,
    }


def failure_columns(failure: Failure) -> Mapping[str, object]:
    return {
        "error_code": failure.code.value,
        "error_message": failure.message,
        "error_line": failure.line,
        "error_column": failure.column,
    }


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
        others = {name: getattr(result, name) for name in RESULT_FIELDS_WITH_VALUES}
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
