"""The adapter of a simulator on the worker's machine: each job runs in a process, which is killed to cancel it.

The adapters `braket` and `qiskit` use it, and those of other packages may.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from ketline.backends.device_process import CALL_SECONDS, DeviceFactory, DevicePool
from ketline.backends.wire import decode_answer
from ketline.domain.backends.backend_jobs import (
    BackendDescription,
    BackendJob,
    ClientToken,
    RemoteId,
    RemoteState,
    RemoteStatus,
    check_counts,
    description_from_json,
)
from ketline.domain.errors import BackendFailed, BackendJobNotFound

_PAUSE_SECONDS = 0.2
# The number of ended jobs whose results are kept; the oldest are dropped first.
_KEPT_JOBS = 1_000
# A run has no limit of its own: the worker cancels a job at its time limit.
_MAX_RUN_SECONDS = 7 * 24 * 3600.0


@dataclass(slots=True)
class _Job:
    token: ClientToken
    task: asyncio.Task[Mapping[str, int]] | None = None
    status: RemoteStatus = RemoteStatus.QUEUED
    message: str | None = None


class LocalAdapter:
    """Runs jobs of a `LocalDevice`, `concurrency` at a time and the others in the order of submission.

    Jobs end with the adapter: after a restart of its worker, `reattach` returns None, so the job is submitted again.
    """

    def __init__(self, factory: DeviceFactory, *, concurrency: int = 1, call_seconds: float = CALL_SECONDS) -> None:
        self._runs = DevicePool(factory, concurrency, call_seconds)
        self._spare = DevicePool(factory, 1, call_seconds)
        self._jobs: OrderedDict[RemoteId, _Job] = OrderedDict()
        self._ids: dict[ClientToken, RemoteId] = {}
        self._description: BackendDescription | None = None

    async def describe(self) -> BackendDescription:
        if self._description is None:
            described = description_from_json(await self._short_call("describe"))
            self._description = replace(described, local=True, simulator=True, recognises_tokens=True)
        waiting = sum(job.status is RemoteStatus.QUEUED for job in self._jobs.values())
        return replace(self._description, pending_jobs=waiting)

    async def validate(self, job: BackendJob) -> None:
        await self._short_call("validate", job)

    async def submit(self, job: BackendJob, token: ClientToken) -> RemoteId:
        if (known := self._ids.get(token)) is not None:
            return known
        await self.validate(job)
        if (known := self._ids.get(token)) is not None:  # submitted by another call meanwhile
            return known
        remote_id = RemoteId(uuid4().hex)
        accepted = _Job(token)
        self._jobs[remote_id], self._ids[token] = accepted, remote_id
        accepted.task = asyncio.create_task(self._run(accepted, job))
        self._forget_old_jobs()
        return remote_id

    async def poll(self, remote_id: RemoteId) -> RemoteState:
        job = self._job(remote_id)
        return RemoteState(status=job.status, message=job.message, pause_seconds=_PAUSE_SECONDS)

    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        known = self._job(remote_id)
        if known.status is not RemoteStatus.DONE or known.task is None:
            raise BackendFailed(f"The job is {known.status} and has no counts.")
        counts = known.task.result()
        check_counts(counts, job)
        return counts

    async def cancel(self, remote_id: RemoteId) -> None:
        job = self._job(remote_id)
        if job.task is not None and not job.status.ended:
            job.status = RemoteStatus.CANCELLED
            job.task.cancel()

    async def reattach(self, token: ClientToken) -> RemoteId | None:
        return self._ids.get(token)

    async def close(self) -> None:
        running = [job.task for job in self._jobs.values() if job.task is not None and not job.task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._runs.close()
        await self._spare.close()

    async def _short_call(self, name: str, *arguments: object) -> Any:
        """Do a short call in a process that runs no job; while all run jobs, in the spare one."""
        return await (self._spare if self._runs.busy else self._runs).call(name, *arguments)

    async def _run(self, accepted: _Job, job: BackendJob) -> Mapping[str, int]:
        try:
            async with self._runs.checkout() as process:
                accepted.status = RemoteStatus.RUNNING
                answer = await process.call("run", [job], _MAX_RUN_SECONDS)
            counts: Mapping[str, int] = decode_answer(answer)
            check_counts(counts, job)
        except asyncio.CancelledError:
            accepted.status = RemoteStatus.CANCELLED
            raise
        except BackendFailed as error:
            accepted.status, accepted.message = RemoteStatus.FAILED, str(error)
            return {}
        accepted.status = RemoteStatus.DONE
        return counts

    def _job(self, remote_id: RemoteId) -> _Job:
        job = self._jobs.get(remote_id)
        if job is None:
            raise BackendJobNotFound("This worker has no such job: it ended with the worker that ran it.")
        return job

    def _forget_old_jobs(self) -> None:
        ended = [remote_id for remote_id, job in self._jobs.items() if job.status.ended]
        for remote_id in ended[: max(0, len(ended) - _KEPT_JOBS)]:
            del self._ids[self._jobs.pop(remote_id).token]
