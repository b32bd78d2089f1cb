"""Quotas of a project and of each owner in it: what they limit. `quota_checks.py` compares submissions with them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self


class Quota(StrEnum):
    """What can be limited: first what tasks share, then what a single task may ask for.

    `waiting` counts pending tasks, also held and scheduled ones; `active` those and the running ones. A day is one of
    UTC. Shots count when they are submitted, for each point of a sweep, and seconds when an attempt ends. Qubits are
    those that a program declares; they are counted when the program is read.
    """

    WAITING = "waiting"
    ACTIVE = "active"
    SHOTS_PER_DAY = "shots_per_day"
    SECONDS_PER_DAY = "seconds_per_day"
    PROGRAM_BYTES = "program_bytes"
    QUBITS = "qubits"
    TIMEOUT_S = "timeout_s"
    PRIORITY = "priority"


class Scope(StrEnum):
    """Whose quota it is: that of the whole project, or of each owner in it."""

    PROJECT = "project"
    OWNER = "owner"


# The limits; what is not in it is unlimited.
Quotas = Mapping[Quota, float]

DAILY = frozenset({Quota.SHOTS_PER_DAY, Quota.SECONDS_PER_DAY})
COUNTED = frozenset({Quota.WAITING, Quota.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectQuotas:
    """The quotas of a project as a whole, and those of each owner in it."""

    project: Quotas = field(default_factory=dict)
    owner: Quotas = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.project or self.owner)

    def changed(self, scope: Scope, changes: Mapping[Quota, float | None]) -> Self:
        """With other limits of a scope; None takes a limit away."""
        old: Quotas = getattr(self, scope.value)
        limits = {quota: limit for quota, limit in {**old, **changes}.items() if limit is not None}
        return replace(self, **{scope.value: limits})

    def smallest(self, quota: Quota, *, owned: bool) -> float:
        """The limit for a single task, which has an owner if it is `owned`; infinity without one."""
        limits = (self.project, self.owner) if owned else (self.project,)
        return min(one.get(quota, math.inf) for one in limits)


UNLIMITED = ProjectQuotas()
