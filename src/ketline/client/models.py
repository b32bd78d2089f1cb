"""What a service tells of tasks, as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from ketline.client.html_repr import task_html
from ketline.domain.spec import ExpectationValues
from ketline.domain.task import TaskStatus

T = TypeVar("T")

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A task that is stored: whatever happens from here on, it reaches a final status."""

    task_id: UUID
    submitted_at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a task gave no result; line and column count from 1 and point into the submitted program."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarning:
    """What the author of a program that ran should know, such as an ignored pragma; its place as above."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What running the program took, and the warnings about it; times are wall-clock seconds."""

    method: str
    qubits: int
    depth: int
    operations: Mapping[str, int]
    queued_seconds: float
    parsing_seconds: float
    simulating_seconds: float
    method_reason: str | None = None
    tier: str | None = None
    seed_scheme: int | None = None
    warnings: Sequence[ProgramWarning] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcomes of a task: keys as Qiskit writes them, bit 0 rightmost, a space between registers.

    `points` has the counts of each point of a sweep, in order, and one map for a task that is no sweep; `memories`
    likewise the outcome of every shot, if the task was told to keep them. `shots` are those of one point. A task with
    observables has `expectation_values` instead, of a sweep a list of them for each point. `data` is the result as the
    service wrote it.
    """

    task_id: UUID
    points: Sequence[Counts]
    shots: int
    memories: Sequence[Sequence[str]] | None = None
    expectation_values: ExpectationValues | None = None
    seed: int | None = None
    profile: Profile | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def counts(self) -> Counts:
        """How often each outcome was seen.

        Raises:
            ValueError: the task is a sweep of several points.
        """
        return _only(self.points)

    @property
    def memory(self) -> Sequence[str] | None:
        """The outcome of every shot in order, None where they were not kept.

        Raises:
            ValueError: the task is a sweep of several points.
        """
        return None if self.memories is None else _only(self.memories)

    def _repr_html_(self) -> str:
        return task_html(
            title=f"Task {self.task_id}", status="completed", points=self.points, values=self.expectation_values
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a task's history; what ends an attempt says how long it took and, unless it completed, why."""

    status: TaskStatus
    at: datetime
    notes: str | None = None
    attempt: int | None = None
    worker_id: str | None = None
    cause: str | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Where a task stands among those that wait: 1 is taken next; with `at_least` there may be more before it.

    `estimated_start` is told where tasks have been ending lately; it is no promise.
    """

    position: int
    at_least: bool = False
    estimated_start: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of a task's history as it was told; `event_id` is what following goes on after."""

    event_id: int
    task_id: UUID
    change: Change

    @property
    def status(self) -> TaskStatus:
        return self.change.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stood when it was read. `data` is all that the service said, fields unknown here included."""

    task_id: UUID
    status: TaskStatus
    submitted_at: datetime
    shots: int
    correlation_id: str
    completed_at: datetime | None = None
    seed: int | None = None
    name: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    scheduled_for: datetime | None = None
    priority: int = 0
    hold: bool = False
    released_at: datetime | None = None
    queue: Queue | None = None
    rerun_of: UUID | None = None
    worker_id: str | None = None
    result: Result | None = None
    error: Failure | None = None
    profile: Profile | None = None
    history: Sequence[Change] = ()
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status.terminal

    def html(self, drawing: bytes | None = None) -> str:
        """What a notebook shows of it, with a drawing of its circuit, an SVG file, if there is one."""
        return task_html(
            title=self.name or f"Task {self.task_id}",
            status=self.status,
            points=() if self.result is None else self.result.points,
            values=None if self.result is None else self.result.expectation_values,
            problem="" if self.error is None else f"{self.error.code}: {self.error.message}",
            drawing=drawing,
        )

    def _repr_html_(self) -> str:
        return self.html()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Some tasks of a list; it goes on at `next`, an address, even where this page is short or empty."""

    tasks: Sequence[Task]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One remark on a program; an error keeps it from being run, a warning does not."""

    severity: str
    code: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What is known of a program without running it; `data` has all of it."""

    valid: bool
    diagnostics: Sequence[Diagnostic]
    method: str | None = None
    method_reason: str | None = None
    qubits: int | None = None
    depth: int | None = None
    operations: Mapping[str, int] | None = None
    memory_bytes: int | None = None
    estimated_seconds: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that was heard of lately, with the ids of the tasks in its hands."""

    worker_id: str
    slots: int
    version: str
    started_at: datetime
    last_seen_at: datetime
    task_ids: Sequence[UUID]
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How the service stands."""

    counted_at: datetime
    counts: Mapping[str, int]
    oldest_pending_seconds: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def _only(points: Sequence[T]) -> T:
    if len(points) != 1:
        raise ValueError(f"The task is a sweep of {len(points)} points: read `points` and `memories`.")
    return points[0]
