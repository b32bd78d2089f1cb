"""What the database holds about a task, as the invariants read it: plain values, none of the service's own types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One row of `status_history`."""

    status: str
    at: datetime
    attempt: int | None = None
    token: str | None = None
    worker: str | None = None
    notes: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """One row of `tasks` with its history, oldest line first."""

    task_id: str
    correlation_id: str
    status: str
    shots: int
    attempt: int
    token: str | None
    counts: Mapping[str, int] | None
    error_code: str | None
    error_line: int | None
    completed_at: datetime | None
    lease_expires_at: datetime | None
    dispatch_due_at: datetime | None
    history: Sequence[HistoryLine]
    seed: int | None = None

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    def lines(self, status: str) -> Sequence[HistoryLine]:
        """The lines of history with this status."""
        return [line for line in self.history if line.status == status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message about the end of a task that its receiver accepted."""

    task_id: str
    status: str
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredShare:
    """What the default project used lately of the slots for simulations, and when it was measured."""

    used_seconds: float
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was broken: which, for whom, and what was found instead."""

    invariant: str
    subject: str
    detail: str
