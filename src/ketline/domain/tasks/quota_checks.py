"""Compares submissions, and programs that were read, with quotas.

`db/tasks/quotas.py` calls it in the transaction that stores tasks, with what is used by then, `SubmitTask` for the
limits of a new task, `ChangeTask` for a new priority, and the simulator's process for the qubits of a program.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ketline.domain.access.quotas import DAILY, ProjectQuotas, Quota, Quotas, Scope
from ketline.domain.errors import QubitQuotaExceeded, QuotaExceeded, QuotaExhausted
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.sweep import number_of_points

# The amount by which a task increases the use of a shared quota. Its seconds are not known before it has run.
_ADDED: Mapping[Quota, Callable[[TaskSpec], float]] = {
    Quota.WAITING: lambda spec: 1,
    Quota.ACTIVE: lambda spec: 1,
    Quota.SHOTS_PER_DAY: lambda spec: shots_of(spec),
    Quota.SECONDS_PER_DAY: lambda spec: 0,
}
_REQUESTED: Mapping[Quota, Callable[[TaskSpec], float]] = {
    Quota.PROGRAM_BYTES: lambda spec: len(spec.circuit.encode()),
    Quota.TIMEOUT_S: lambda spec: spec.time_limit_seconds or 0,
    Quota.PRIORITY: lambda spec: spec.priority,
}
_UNITS: Mapping[Quota, str] = {
    Quota.WAITING: "waiting tasks",
    Quota.ACTIVE: "waiting and running tasks",
    Quota.SHOTS_PER_DAY: "shots a day",
    Quota.SECONDS_PER_DAY: "simulated seconds a day",
    Quota.PROGRAM_BYTES: "bytes of a program",
    Quota.TIMEOUT_S: "seconds of time limit",
    Quota.PRIORITY: "as the highest priority",
}


def shots_of(spec: TaskSpec) -> int:
    """The shots of all points of a task."""
    return spec.shots * (number_of_points(spec.inputs) or 1)


def start_of_day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def limited(spec: TaskSpec, quotas: ProjectQuotas, default_seconds: float, *, owned: bool) -> TaskSpec:
    """The spec with the limits of its task, which later changes of quotas leave as they are.

    A task without a time limit of its own gets the quota, if that is shorter than the service's limit. Its program may
    have as many qubits as the quota permits now; a program for an external backend is not read here.
    """
    seconds, qubits = (quotas.smallest(quota, owned=owned) for quota in (Quota.TIMEOUT_S, Quota.QUBITS))
    if spec.time_limit_seconds is None and seconds < default_seconds:
        spec = replace(spec, time_limit_seconds=seconds)
    unlimited = qubits == math.inf or spec.kind is TaskKind.RUN
    most = None if unlimited else int(qubits)
    return spec if spec.max_qubits == most else replace(spec, max_qubits=most)


def require_qubits(declared: int, spec: TaskSpec) -> None:
    """Check the qubits that the program of a task declares.

    Raises:
        QubitQuotaExceeded: they are more than the quota.
    """
    if spec.max_qubits is not None and declared > spec.max_qubits:
        raise QubitQuotaExceeded(
            f"the program declares {declared} qubits; the quota 'qubits' of its project or its owner is "
            f"{spec.max_qubits}"
        )


def require_permitted(spec: TaskSpec, quotas: Quotas, scope: Scope) -> None:
    """Check what a single task asks for.

    Raises:
        QuotaExceeded: it exceeds a quota.
    """
    for quota, requested in _REQUESTED.items():
        _require_at_most(quotas, quota, requested(spec), scope)


def require_priority(priority: int, quotas: ProjectQuotas) -> None:
    """Check the new priority of a stored task.

    Raises:
        QuotaExceeded: it is higher than a quota.
    """
    _require_at_most(quotas.project, Quota.PRIORITY, priority, Scope.PROJECT)
    _require_at_most(quotas.owner, Quota.PRIORITY, priority, Scope.OWNER)


def require_room(specs: Sequence[TaskSpec], quotas: Quotas, used: Quotas, scope: Scope, at: datetime) -> None:
    """Check that tasks may be stored now, at the time `at`, beside what is `used`.

    Raises:
        QuotaExceeded: a quota is too small for them at any time.
        QuotaExhausted: a quota has no room for them now.
    """
    for quota, added_by in _ADDED.items():
        if quota not in quotas:
            continue
        limit, added = quotas[quota], sum(map(added_by, specs))
        _require_at_most(quotas, quota, added, scope)
        spent = quota is Quota.SECONDS_PER_DAY and used[quota] >= limit
        if (added and used[quota] + added > limit) or spent:  # guard: quota.room
            raise _exhausted(quota, scope, used[quota], limit, at)


def _require_at_most(quotas: Quotas, quota: Quota, requested: float, scope: Scope) -> None:
    limit = quotas.get(quota)
    if limit is not None and requested > limit:  # guard: quota.request
        text = f"The quota of this {scope} is {limit:.12g} {_UNITS[quota]}; this request needs {requested:.12g}."
        raise QuotaExceeded(text, quota=quota, scope=scope, used=requested, limit=limit)


def _exhausted(quota: Quota, scope: Scope, used: float, limit: float, at: datetime) -> QuotaExhausted:
    free_at = start_of_day(at) + timedelta(days=1) if quota in DAILY else None
    when = (
        "submit again when tasks have ended" if free_at is None else f"it is free again at {free_at:%Y-%m-%d %H:%M} UTC"
    )
    text = f"The quota of this {scope} is {limit:.12g} {_UNITS[quota]}, and {used:.12g} are used; {when}."
    retry_after = None if free_at is None else free_at - at
    return QuotaExhausted(
        text, quota=quota, scope=scope, used=used, limit=limit, free_at=free_at, retry_after=retry_after
    )
