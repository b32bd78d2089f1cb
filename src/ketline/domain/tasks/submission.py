"""What a client submits, before and after it is stored."""

from dataclasses import dataclass
from datetime import datetime

from ketline.domain.access.principals import Owner
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A client's name for one submission; `fingerprint` is a digest of what it submitted under that name."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A program accepted for execution, before it is stored.

    `task_type` is the kind of task by the name of older services, if a client of one submitted it; with
    `wait_for_completion` that client wants no result of a task on a backend before its job is done. With
    `project_callback` a task without a callback of its own has that of its project.
    """

    task_id: TaskId
    spec: TaskSpec
    correlation_id: CorrelationId
    trace_context: str | None = None
    idempotency_key: IdempotencyKey | None = None
    rerun_of: TaskId | None = None
    owner: Owner | None = None
    task_type: str | None = None
    wait_for_completion: bool = False
    project_callback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A committed task: from now on it reaches a terminal status whatever fails.

    `repeated` says that an earlier submission under the same idempotency key created it.
    """

    task_id: TaskId
    submitted_at: datetime
    correlation_id: CorrelationId
    repeated: bool = False
