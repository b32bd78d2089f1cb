"""The values that the client returns: tasks, results, events, workers, as frozen dataclasses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from ketline.client.html_repr import task_html
from ketline.domain.results.gradients import Gradients
from ketline.domain.results.observable import ExpectationValues
from ketline.domain.status import TaskStatus

T = TypeVar("T")

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A stored task; the service guarantees that it reaches a terminal status."""

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
    """A warning about a program that ran, such as an ignored pragma; line and column as in `Failure`."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a program was placed on a device: the device's qubit for each of the program's, at first and at the end.

    `depth` and `two_qubit_gates` are those of the transpiled circuit.
    """

    device: str
    digest: str
    optimization_level: int
    layout: Sequence[int]
    final_layout: Sequence[int]
    depth: int
    two_qubit_gates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How the program was run and how long it took, in wall-clock seconds, and the warnings about it."""

    method: str
    qubits: int
    depth: int
    operations: Mapping[str, int]
    queued_seconds: float
    parsing_seconds: float
    simulating_seconds: float
    method_reason: str | None = None
    engine: str | None = None
    tier: str | None = None
    seed_scheme: int | None = None
    warnings: Sequence[ProgramWarning] = ()
    processor_seconds: float | None = None
    memory_bytes: int | None = None
    placement: Placement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A value of the state in which a program ended, or of that at a place; bit j of an index is the j-th of `qubits`.

    `values` are nested lists of numbers, complex ones for amplitudes and matrices, or a number for an entropy;
    `numpy.array(values)` has the shape (2^m,) or (2^m, 2^m) for m qubits. Of k observables they are k expectation
    values, or k pairs of a value and its variance.
    """

    type: str
    qubits: Sequence[int]
    values: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcomes of a task: keys as Qiskit writes them, bit 0 rightmost, a space between registers.

    `points` has the counts of each point of a sweep, in order, and one mapping for a task without a sweep; `memories`
    has the outcome of every shot in the same way, if the task was submitted with `memory`. `shots` is the number of
    shots of each point. A task with observables has `expectation_values` instead; for a sweep, a list of them for each
    point. Values that were estimated have `standard_errors` in the same way; exact ones have none. `mitigation` has
    under "zne" what values were extrapolated from, and under "readout" corrected counts. With a gradient it has
    `gradients` in the same order, the derivatives of each observable by the name of the input, and those that were
    estimated `gradient_standard_errors`. A task with outputs has those of each point by name in
    `saved`, and counts only if they are among them. A task of kind "convert" has an `output` instead: text, or bytes
    for QPY and bitcode. `data` is the JSON of the result.
    """

    task_id: UUID
    points: Sequence[Counts]
    shots: int
    memories: Sequence[Sequence[str]] | None = None
    expectation_values: ExpectationValues | None = None
    standard_errors: ExpectationValues | None = None
    mitigation: Mapping[str, Any] | None = None
    gradients: Gradients | None = None
    gradient_standard_errors: Gradients | None = None
    saved: Sequence[Mapping[str, Output]] = ()
    output: str | bytes | None = None
    seed: int | None = None
    profile: Profile | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def counts(self) -> Counts:
        """How often each outcome was measured.

        Raises:
            ValueError: the task is a sweep of several points.
        """
        return _only(self.points)

    @property
    def memory(self) -> Sequence[str] | None:
        """The outcome of every shot in order, None without `memory`.

        Raises:
            ValueError: the task is a sweep of several points.
        """
        return None if self.memories is None else _only(self.memories)

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The outputs by name, as far as the task was submitted with some.

        Raises:
            ValueError: the task is a sweep of several points.
        """
        return _only(self.saved) if self.saved else {}

    def _repr_html_(self) -> str:
        return task_html(
            title=f"Task {self.task_id}",
            status="completed",
            points=self.points,
            values=self.expectation_values,
            errors=self.standard_errors,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a task's status; one that ends an attempt has its duration and, unless it completed, its cause."""

    status: TaskStatus
    at: datetime
    notes: str | None = None
    attempt: int | None = None
    worker_id: str | None = None
    cause: str | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A waiting task's position in the queue: 1 runs next; with `at_least`, more tasks may be before it.

    `estimated_start` is set if tasks have ended recently; it is an estimate only.
    """

    position: int
    at_least: bool = False
    estimated_start: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of a task's status from an event stream; pass `event_id` as `after` to continue from it."""

    event_id: int
    task_id: UUID
    change: Change

    @property
    def status(self) -> TaskStatus:
        return self.change.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task at the time when it was read. `data` is its JSON, including fields that this version does not know."""

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
    kind: str = "simulate"
    target: str | None = None
    backend: str | None = None
    released_at: datetime | None = None
    queue: Queue | None = None
    rerun_of: UUID | None = None
    owner: str | None = None
    project: str = "default"
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
        """The task as HTML for notebooks; `drawing` is an SVG file of its circuit."""
        return task_html(
            title=self.name or f"Task {self.task_id}",
            status=self.status,
            points=() if self.result is None else self.result.points,
            values=None if self.result is None else self.result.expectation_values,
            errors=None if self.result is None else self.result.standard_errors,
            problem="" if self.error is None else f"{self.error.code}: {self.error.message}",
            drawing=drawing,
        )

    def _repr_html_(self) -> str:
        return self.html()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTasks:
    """Which of some tasks have ended: `tasks` have no history, profile and labels, `unread` are to be read again."""

    tasks: Sequence[Task]
    unread: Sequence[UUID] = ()
    missing: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of a list of tasks; `next` is the address of the next page, also after a short or empty page."""

    tasks: Sequence[Task]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """An error or a warning about a program; a program with an error cannot run."""

    severity: str
    code: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The result of validating a program without running it; `data` is its JSON."""

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
    """A live worker and the ids of the tasks that it runs."""

    worker_id: str
    slots: int
    version: str
    started_at: datetime
    last_seen_at: datetime
    task_ids: Sequence[UUID]
    conversion_slots: int = 0
    queues: Sequence[str] | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The principal of the client's credentials: a member of a project, with a role. `data` is its JSON.

    `owner` is the owner of the tasks that the client submits. `key_id` names the API key; the rights end at
    `expires_at`.
    """

    project: str
    role: str
    owner: str | None = None
    key_id: str | None = None
    expires_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The number of tasks of each status, and how long the oldest pending one has waited.

    `queues` has, by the name of the queue, the numbers of its "waiting" and "processing" tasks; a held task, and
    one that is scheduled for later, does not wait.
    """

    counted_at: datetime
    counts: Mapping[str, int]
    oldest_pending_seconds: float | None = None
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def _only(points: Sequence[T]) -> T:
    if len(points) != 1:
        raise ValueError(f"The task is a sweep of {len(points)} points: read `points`, `memories` and `saved`.")
    return points[0]
