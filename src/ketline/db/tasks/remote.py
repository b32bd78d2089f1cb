"""SQL of tasks that run on external backends: the job of each at its backend; `repository.py` runs it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, and_, or_, select, update

from ketline.db.engine.clock import now
from ketline.db.schema.columns import remote_columns
from ketline.db.schema.rows import to_remote_job
from ketline.db.schema.tables import tasks
from ketline.db.tasks.fence import is_held
from ketline.domain.attempts.claim import Lease
from ketline.domain.backends.backend_jobs import ENDED_REMOTELY
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.remote_job import JobToCancel, RemoteJob


def record_job(lease: Lease, job: RemoteJob | None) -> Update:
    """Records the job of a claimed task, or that it has none; a job without a status is being submitted from now on."""
    recording = (
        update(tasks)
        .where(is_held(lease))  # guard: remote.fence
        .values(remote_columns(job))
        .returning(tasks.c.attempt)
    )
    if job is None:
        return recording.values(remote_submitted_at=None)
    return recording if job.status is not None else recording.values(remote_submitted_at=now())


def select_to_cancel(backend: str, limit: int) -> Select[Any]:
    """Selects tasks whose jobs are to be cancelled, and have not ended at the backend."""
    return (
        select(
            tasks.c.task_id,
            tasks.c.remote_id,
            tasks.c.remote_status,
            tasks.c.completed_at,
            now().label("at"),
        )
        .where(
            tasks.c.backend == backend,
            tasks.c.current_status.in_([TaskStatus.CANCELLED, TaskStatus.FAILED]),
            _gave_up(),
            tasks.c.remote_status.is_not(None),
            tasks.c.remote_status.not_in([status.value for status in ENDED_REMOTELY]),
        )
        # Those without an id are selected for minutes, and must not keep the others waiting.
        .order_by(tasks.c.remote_id.is_(None), tasks.c.task_id)
        .limit(limit)
    )


def end_job(task_id: TaskId, job: RemoteJob) -> Update:
    """Records how the job ended of a task that was cancelled, or failed before its job ended."""
    return update(tasks).where(tasks.c.task_id == task_id, _gave_up()).values(remote_columns(job))


def _gave_up() -> ColumnElement[bool]:
    """Whether a task has ended although its job may still be at the backend, where it is to be cancelled."""
    early = [FailureCode.TIMEOUT.value, FailureCode.FAILED_BY_ADMINISTRATOR.value]
    late = and_(tasks.c.current_status == TaskStatus.FAILED, tasks.c.error_code.in_(early))
    return or_(tasks.c.current_status == TaskStatus.CANCELLED, late)


def to_jobs(rows: Sequence[Row[Any]]) -> Sequence[JobToCancel]:
    """The jobs that `select_to_cancel` selects."""
    return [
        JobToCancel(task_id=TaskId(row.task_id), job=job, ended_for=row.at - row.completed_at)
        for row in rows
        if (job := to_remote_job(row)) is not None
    ]
