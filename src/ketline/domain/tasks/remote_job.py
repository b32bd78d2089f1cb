"""The job of a task at an external backend."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ketline.domain.ids import TaskId


class RemoteStatus(StrEnum):
    """The status of a job at its backend."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (RemoteStatus.DONE, RemoteStatus.FAILED, RemoteStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """The job of a task at an external backend; it has no id and no status while it is being submitted."""

    remote_id: str | None = None
    status: RemoteStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToCancel:
    """The job of a task that was cancelled, or failed at its time limit, `ended_for` ago by the database's clock."""

    task_id: TaskId
    job: RemoteJob
    ended_for: timedelta
