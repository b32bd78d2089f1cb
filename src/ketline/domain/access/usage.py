"""Usage: what the tasks of a project took, by day and owner; `specs/usage.md` says what counts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import reduce

from ketline.domain.access.principals import Owner, ProjectName


class UsageGroup(StrEnum):
    """The groups of a sum of usage, besides the project."""

    DAY = "day"
    OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Sums over tasks that ended, by status, and over the profiles of those that completed.

    `shots` are those of all points of sweeps. `memory_bytes` is the largest of all; it and `processor_seconds` lack
    tasks whose profiles do not have them.
    """

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    shots: int = 0
    simulating_seconds: float = 0.0
    processor_seconds: float = 0.0
    memory_bytes: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        memory = [usage.memory_bytes for usage in (self, other) if usage.memory_bytes is not None]
        return Usage(
            completed=self.completed + other.completed,
            failed=self.failed + other.failed,
            cancelled=self.cancelled + other.cancelled,
            shots=self.shots + other.shots,
            simulating_seconds=self.simulating_seconds + other.simulating_seconds,
            processor_seconds=self.processor_seconds + other.processor_seconds,
            memory_bytes=max(memory, default=None),
        )


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of some usage."""
    return reduce(Usage.__add__, usages, Usage())


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Whose usage, and of which days in UTC; both days are included, None means without bound.

    Without a project it is that of all projects.
    """

    project: ProjectName | None
    first_day: date | None = None
    last_day: date | None = None
    groups: frozenset[UsageGroup] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Usage of a project; `day` and `owner` are None unless usage is summed by them, or the tasks have no owner."""

    project: ProjectName
    day: date | None = None
    owner: Owner | None = None
    usage: Usage
