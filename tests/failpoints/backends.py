"""Adapters of external backends with failpoints, and the failpoints of what is committed about a job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ketline.backends import BackendDescription, BackendEntry, BackendJob, BackendUnavailable, ClientToken, RemoteId
from ketline.backends.registry import Backends
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.attempts.claim import Lease
from ketline.domain.backends.backend_jobs import BackendName, RemoteState
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from tests.backends.example import AcmeAdapter
from tests.backends.remote import KEY
from tests.failpoints.failpoint import Failpoints

BUSY_DELAY = timedelta(seconds=0.2)


class _Busy(BackendUnavailable):
    def __init__(self, message: str) -> None:
        super().__init__(message, delay=BUSY_DELAY)


class FailingAdapter(AcmeAdapter):
    """The adapter of docs/backends.md, with a point at which its backend takes no job.

    It takes programs as they were submitted. While simulators are held, its jobs run on until they are cancelled.
    """

    def __init__(self, points: Failpoints, url: str) -> None:
        super().__init__(url, KEY)
        self._points = points
        self._cancelled: set[RemoteId] = set()

    async def describe(self) -> BackendDescription:
        return replace(await super().describe(), flat=False)

    async def submit(self, job: BackendJob, token: ClientToken) -> RemoteId:
        await self._points.reach("submit", _Busy)
        return await super().submit(job, token)

    async def poll(self, remote_id: RemoteId) -> RemoteState:
        if self._points.control.holding and remote_id not in self._cancelled:
            return RemoteState(status=RemoteStatus.RUNNING, pause_seconds=0.1)
        return await super().poll(remote_id)

    async def cancel(self, remote_id: RemoteId) -> None:
        await super().cancel(remote_id)
        self._cancelled.add(remote_id)


def open_failing(points: Failpoints, entries: Sequence[BackendEntry]) -> Backends:
    """An adapter with failpoints for each configured backend."""
    adapters: Mapping[BackendName, FailingAdapter] = {
        entry.name: FailingAdapter(points, entry.argument) for entry in entries
    }
    return Backends(adapters=adapters)


def record_job(points: Failpoints) -> Any:
    """`record_job` of the repository, with points that tell apart what of the job is recorded."""

    async def write(self: SqlTaskRepository, lease: Lease, job: RemoteJob | None) -> bool:
        step = _step_of(job)
        await points.reach(f"{step}.before")
        recorded = await SqlTaskRepository.record_job(self, lease, job)
        await points.reach(f"{step}.after")
        return recorded

    return write


def _step_of(job: RemoteJob | None) -> str:
    match job:
        case None:
            return "drop_job"
        case RemoteJob(remote_id=None):
            return "begin_job"
        case RemoteJob(status=RemoteStatus.QUEUED):
            return "record_job"
        case _:
            return "follow_job"
