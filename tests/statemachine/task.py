"""One task as the protocol promises it, in plain Python: times are seconds on the model's clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from uuid import UUID

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.claim import Lease
from ketline.domain.tasks.priority import SECONDS_PER_POINT
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue

RETRY_SECONDS = 4000.0
JITTER = (0.75, 1.25)
MAX_CRASHES = 2
MAX_EXCUSED = 10
MAX_DOUBLINGS = 6

MOVES: Mapping[str | None, set[str]] = {
    None: {"pending"},
    "pending": {"processing", "failed", "cancelled"},
    "processing": {"pending", "completed", "failed", "cancelled"},
    "completed": set(),
    "failed": set(),
    "cancelled": set(),
}


@dataclass(frozen=True)
class Line:
    """A line of history; `since` is the claim of the attempt it ends."""

    status: str
    at: float
    attempt: int | None = None
    token: UUID | None = None
    worker: str | None = None
    cause: str | None = None
    since: float | None = None

    @property
    def ends_attempt(self) -> bool:
        return self.since is not None


@dataclass
class ModelTask:
    """A task; `backoff` bounds a delay that was drawn and not yet read from the database."""

    task_id: UUID
    max_attempts: int
    available_at: float
    due_at: float | None
    status: str = "pending"
    attempt: int = 0
    spent: int = 0
    crashed: int = 0
    dispatches: int = 0
    scheduled: bool = False
    hold: bool = False
    held: bool = False
    queue: TaskQueue = SIMULATIONS
    project: ProjectName = DEFAULT_PROJECT
    priority: int = 0
    submitted_at: float = 0.0
    came_at: float = 0.0
    overtakes: bool = False
    is_long: bool = False
    claimed_at: float = 0.0
    token: UUID | None = None
    worker: str | None = None
    lease_until: float | None = None
    ended_at: float | None = None
    code: str | None = None
    counts: Mapping[str, int] | None = None
    backoff: tuple[float, float] | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def rank(self) -> float:
        return self.came_at - SECONDS_PER_POINT * self.priority

    @property
    def ended(self) -> bool:
        return not MOVES[self.status]

    def of(self, lease: Lease) -> bool:
        """Whether the last claim of the task is this one."""
        return (self.attempt, self.token) == (lease.attempt, lease.token)

    def held_by(self, lease: Lease) -> bool:
        return self.status == "processing" and self.of(lease)

    def ended_by(self, lease: Lease, cause: str | None) -> str | None:
        """The status that the attempt of this lease ended with, if that was its cause; None is success."""
        of_lease = (lease.attempt, lease.token, cause)
        ends = [line for line in self.lines if (line.attempt, line.token, line.cause) == of_lease and line.ends_attempt]
        return ends[0].status if ends else None

    def claimable(self, now: float) -> bool:
        return self.status == "pending" and self.available_at <= now

    def waits(self, now: float) -> bool:
        """Whether it is in a delay, and neither scheduled for later nor held."""
        later = self.scheduled and self.came_at > now
        return self.status == "pending" and self.available_at > now and not later and not self.held

    def claim(self, now: float, token: UUID, worker: str, seconds: float) -> None:
        self.attempt += 1
        self.claimed_at, self.token, self.worker = now, token, worker
        self.lease_until, self.due_at = now + seconds, None
        self._enter("processing", Line("processing", now, self.attempt, token, worker))

    def complete(self, now: float, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._end("completed", now, None)

    def fail(self, now: float, code: str) -> None:
        self.code = code
        self._end("failed", now, code)

    def release(self, now: float) -> None:
        self.available_at = self.due_at = now
        self._back_to_pending(now, "worker_stopped")

    def defer(self, now: float, delay: float, cause: str) -> None:
        self.available_at = self.due_at = now + delay
        self.overtakes = True
        self.is_long |= cause == "long_program"
        self._back_to_pending(now, cause)

    def recall(self, now: float) -> None:
        self.available_at = self.due_at = now

    def reap(self, now: float) -> str:
        """As `spend`, one delay less: the life of the lease has been waited for."""
        delay = RETRY_SECONDS * 2 ** min(self.spent - 1, MAX_DOUBLINGS) if self.spent else 0.0
        return self._spend(now, "worker_lost", delay, crashed=True)

    def excuse(self, now: float) -> str:
        """An outage ended the attempt, which costs nothing unless that has happened too often."""
        if sum(line.cause == "database_outage" for line in self.lines) >= MAX_EXCUSED:
            return self.reap(now)
        self.available_at = self.due_at = now
        self._back_to_pending(now, "database_outage")
        return self.status

    def spend(self, now: float, cause: str, *, crashed: bool) -> str:
        """End an attempt that counts: back to pending after a drawn delay, or failed; gives which."""
        return self._spend(now, cause, RETRY_SECONDS * 2 ** min(self.spent, MAX_DOUBLINGS), crashed=crashed)

    def cancel(self, now: float) -> None:
        self.code = "cancelled"
        if self.status == "processing":
            self._end("cancelled", now, "cancelled")
        else:
            self.due_at, self.ended_at = None, now
            self._enter("cancelled", Line("cancelled", now))

    def reschedule(self, now: float, ahead: float | None) -> None:
        self.available_at = self.due_at = inf if self.held else now + max(0.0, ahead or 0.0)
        self.scheduled = ahead is not None
        self.came_at = self.submitted_at if ahead is None else max(self.submitted_at, now + ahead)
        self.dispatches = 0

    def enqueue(self, now: float) -> None:
        """Release the task, which is held: as if it were submitted now."""
        self.held = False
        self.submitted_at = now
        self.came_at = self.available_at = self.due_at = max(now, self.came_at)
        self.dispatches = 0

    def take(self, now: float, first_interval: float) -> None:
        self.due_at = now + first_interval * 2 ** min(self.dispatches, MAX_DOUBLINGS)
        self.dispatches += 1

    def _spend(self, now: float, cause: str, delay: float, *, crashed: bool) -> str:
        self.spent += 1
        self.crashed += crashed
        if self.spent >= self.max_attempts or (crashed and self.crashed >= MAX_CRASHES):
            self.code = "worker_lost" if crashed else cause
            self.dispatches = 0
            self._end("failed", now, cause)
        else:
            self.backoff = (delay * JITTER[0], delay * JITTER[1])
            self._back_to_pending(now, cause)
        return self.status

    def _back_to_pending(self, now: float, cause: str) -> None:
        self.lease_until, self.dispatches = None, 0
        self._enter("pending", self._last_line("pending", now, cause))

    def _end(self, status: str, now: float, cause: str | None) -> None:
        self.lease_until, self.ended_at = None, now
        self._enter(status, self._last_line(status, now, cause))

    def _last_line(self, status: str, now: float, cause: str | None) -> Line:
        return Line(status, now, self.attempt, self.token, self.worker, cause, self.claimed_at)

    def _enter(self, status: str, line: Line) -> None:
        assert status in MOVES[self.status]
        self.status = status
        self.lines.append(line)
