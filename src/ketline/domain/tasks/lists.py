"""Queries on stored tasks: lists, changes to one task, and statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ketline.domain.access.principals import Owner, ProjectName
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.results.result import Profile
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.task import Task


class Order(StrEnum):
    """The order of a list; a list by `completed_at` has only tasks that have ended. Ties are ordered by task id."""

    OLDEST_FIRST = "submitted_at"
    NEWEST_FIRST = "-submitted_at"
    FIRST_ENDED_FIRST = "completed_at"
    LAST_ENDED_FIRST = "-completed_at"

    @property
    def descending(self) -> bool:
        return self.value.startswith("-")

    @property
    def by_end(self) -> bool:
        return self.value.endswith("completed_at")


class TaskPart(StrEnum):
    """The parts of a task that a list contains only if the query requests them."""

    CIRCUIT = "circuit"
    RESULT = "result"
    HISTORY = "history"
    PROFILE = "profile"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Selects the tasks that meet all of its conditions. Ranges include their start and exclude their end.

    A task has one of the `statuses`, if there are any, and every one of the `tags`. `worker_id` is the worker that ran
    it last. With `project` None, tasks of all projects are selected.
    """

    project: ProjectName | None = None
    statuses: Sequence[TaskStatus] = ()
    tags: Sequence[str] = ()
    name: str | None = None
    name_prefix: str | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    completed_after: datetime | None = None
    completed_before: datetime | None = None
    worker_id: WorkerId | None = None
    error_code: FailureCode | None = None
    kind: TaskKind | None = None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position in a list: after the task with this id and time, whether or not that task is in the list."""

    at: datetime
    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Up to `limit` tasks of a list from a position on, each with the requested parts."""

    which: TaskFilter = field(default_factory=TaskFilter)
    order: Order = Order.NEWEST_FIRST
    limit: int = 50
    after: Position | None = None
    parts: frozenset[TaskPart] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask:
    """A task in a list; `circuit` and the parts of `TaskPart` are empty unless they were requested."""

    task: Task
    worker_id: WorkerId | None
    circuit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Tasks of a list in its order; with `next` the list continues, even if this page is short or empty."""

    tasks: Sequence[ListedTask]
    next: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTask:
    """A task that has ended, without its options and history.

    `result` is JSON text, as `TaskReader.result_text` returns it; None without a result.
    """

    task_id: TaskId
    status: TaskStatus
    submitted_at: datetime
    completed_at: datetime | None
    shots: int
    seed: int | None
    correlation_id: CorrelationId
    failure: Failure | None
    profile: Profile | None
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTasks:
    """Which of some tasks have ended: those that were read, and the ids of others whose results are too large.

    The ids of those that are still pending or processing are `running`.
    """

    tasks: Sequence[EndedTask]
    unread: Sequence[TaskId]
    running: Sequence[TaskId]


class Changeable(StrEnum):
    """The fields of a task that a client may change."""

    NAME = "name"
    TAGS = "tags"
    METADATA = "metadata"
    SCHEDULED_FOR = "scheduled_for"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """New values of `fields`; `scheduled_for` None means at once.

    Fields in `WHILE_PENDING` can change only while the task is pending.
    """

    fields: frozenset[Changeable]
    labels: Labels = field(default_factory=Labels)
    scheduled_for: datetime | None = None
    priority: int = 0


WHILE_PENDING = frozenset({Changeable.SCHEDULED_FOR, Changeable.PRIORITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The tasks that ended per minute, over the last `minutes`."""

    minutes: int
    completed_per_minute: float
    failed_per_minute: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """The tasks of one queue that have not ended: those that wait, neither held nor scheduled for later, and those that
    are processing."""

    waiting: int = 0
    processing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatistics:
    """The state of the queues at one moment of the database's clock.

    `oldest_pending_seconds` is the waiting time of the task that has waited longest, None if there is none; a task that
    is scheduled for later does not count. `queues` has the counts of each queue by its name, in alphabetical order; a
    queue whose tasks have all ended is left out.
    """

    at: datetime
    counts: Mapping[TaskStatus, int]
    oldest_pending_seconds: float | None
    rates: Sequence[Rate]
    queues: Mapping[str, QueueCounts] = field(default_factory=dict)
