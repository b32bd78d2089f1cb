"""Quotas of a project and of each owner in it: what they limit, and how operators write them.

`quota_checks.py` compares submissions with them.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from ketline.domain.limits import HIGHEST_PRIORITY


class Quota(StrEnum):
    """The quantities that quotas limit: first those that tasks share, then those of a single task.

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
_FRACTIONAL = frozenset({Quota.SECONDS_PER_DAY, Quota.TIMEOUT_S})
_LIMIT = re.compile(r"none|\d{1,15}(\.\d{1,6})?")


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

    def completed(self, defaults: "ProjectQuotas") -> Self:
        """With the default of each quota that it does not have itself."""
        return replace(self, project={**defaults.project, **self.project}, owner={**defaults.owner, **self.owner})

    def defaulted(self, defaults: "ProjectQuotas") -> Self:
        """Those defaults that apply because it does not have the quota itself."""
        return replace(
            self, project=_without(defaults.project, self.project), owner=_without(defaults.owner, self.owner)
        )

    def smallest(self, quota: Quota, *, owned: bool) -> float:
        """The limit for a single task, which has an owner if it is `owned`; infinity without one."""
        limits = (self.project, self.owner) if owned else (self.project,)
        return min(one.get(quota, math.inf) for one in limits)


UNLIMITED = ProjectQuotas()


def parse_quota(text: str) -> tuple[Quota, float | None]:
    """A quota such as `waiting=100`, or `waiting=none`.

    Raises:
        ValueError: it is not one.
    """
    name, _, limit = text.partition("=")
    if name not in set(Quota) or not _LIMIT.fullmatch(limit):
        raise ValueError(f"write one of {', '.join(Quota)}, =, and a number or none")
    quota = Quota(name)
    if limit == "none":
        return quota, None
    number = float(limit) if "." in limit else int(limit)
    if number != int(number) and quota not in _FRACTIONAL:
        raise ValueError(f"{name} is a whole number")
    if (quota is Quota.TIMEOUT_S and not number) or (quota is Quota.PRIORITY and number > HIGHEST_PRIORITY):
        raise ValueError(f"timeout_s is above 0, and priority at most {HIGHEST_PRIORITY}")
    return quota, number if number != int(number) else int(number)


def parse_quotas(text: str) -> Quotas:
    """The quotas in a list such as `waiting=100, shots_per_day=1000000`; `none` has no meaning there.

    Raises:
        ValueError: it is not such a list.
    """
    entries = [parse_quota(entry.strip()) for entry in text.split(",") if entry.strip()]
    found = {quota: limit for quota, limit in entries if limit is not None}
    if len(found) < len(entries):
        raise ValueError("write each quota once, with a number")
    return found


def _without(quotas: Quotas, others: Quotas) -> Quotas:
    return {quota: limit for quota, limit in quotas.items() if quota not in others}
