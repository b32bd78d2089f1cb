"""The fields of a `TaskSpec` as columns of `tasks`, in both directions: for inserts, claims and lists."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Row

from ketline.db.schema.tables import tasks
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.devices.device_run import device_run
from ketline.domain.devices.stored_noise import stored_noise
from ketline.domain.results.gradients import requested_gradient
from ketline.domain.results.mitigation import mitigation_of
from ketline.domain.results.outputs import requested_output
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.spec_fields import SPEC_FIELDS

SPEC_COLUMNS: Sequence[Column[Any]] = [tasks.c[field.column] for field in SPEC_FIELDS]


def spec_values(spec: TaskSpec) -> dict[str, object]:
    """The value of each column."""
    return {field.column: field.stored(spec) for field in SPEC_FIELDS}


def to_spec(row: Row[Any]) -> TaskSpec:
    """A spec from a row with all `SPEC_COLUMNS`."""
    return TaskSpec(
        circuit=row.circuit,
        shots=row.shots,
        inputs=row.inputs or {},
        options=to_options(
            row,
            observables=row.observables,
            noise=row.noise,
            outputs=row.outputs,
            gradient=row.gradient,
            device=row.device,
        ),
        time_limit_seconds=row.time_limit_seconds,
        max_attempts=row.max_attempts,
        labels=to_labels(row),
        scheduled_for=row.scheduled_for,
        priority=row.priority,
        hold=bool(row.hold),
        max_qubits=row.max_qubits,
        callback=row.callback,
        **kind_fields(row),
    )


def to_options(
    row: Row[Any],
    *,
    observables: Sequence[Any] | None = None,
    noise: object | None = None,
    outputs: Sequence[Any] | None = None,
    gradient: Mapping[str, Any] | None = None,
    device: Mapping[str, Any] | None = None,
) -> RunOptions:
    """The run options of a task; lists leave out the observables, the noise, the outputs, gradient and device."""
    return RunOptions(
        seed=row.seed,
        method=Method(row.method or Method.AUTOMATIC),
        memory=bool(row.memory),
        format=format_of(row),
        observables=tuple(observables or ()),
        noise=stored_noise(noise),
        outputs=tuple(map(requested_output, outputs or ())),
        gradient=requested_gradient(gradient),
        device=device_run(device) if device else None,
        sampled=bool(row.sampled),
        precision=row.precision,
        mitigation=mitigation_of(row.mitigation),
    )


def format_of(row: Row[Any]) -> ProgramFormat:
    """The format of a program; older tasks have none recorded, and are OpenQASM 3."""
    return ProgramFormat(row.program_format or ProgramFormat.OPENQASM3)


def kind_fields(row: Row[Any], *, profile: str = "profile") -> dict[str, Any]:
    """The fields that say what is done with the program; `profile` is the name of the one with the profile of QIR."""
    return {
        "kind": TaskKind(row.kind),
        "target": Target(row.target) if row.target else None,
        profile: QirProfile(row.qir_profile) if row.qir_profile else None,
        "bitcode": bool(row.bitcode),
        "backend": row.backend,
    }


def to_labels(row: Row[Any]) -> Labels:
    """The labels of a task."""
    metadata: Mapping[str, Any] = row.metadata or {}
    return Labels(name=row.name, tags=tuple(row.tags or ()), metadata=metadata)
