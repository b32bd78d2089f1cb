"""Runs tasks on an external backend: submits the job of each once, and waits for it in the background.

`worker.backend_slots` calls it. A task that waits occupies no slot and no message of the queue.
"""

import asyncio
from dataclasses import dataclass, field

import structlog

from ketline.domain.backends.backend_jobs import RemoteId
from ketline.domain.errors import BackendFailed, BackendJobNotFound, BackendOutcomeUnknown
from ketline.domain.ids import TaskId
from ketline.domain.tasks.queues import TaskQueue
from ketline.domain.tasks.remote_job import JobToCancel, RemoteJob, RemoteStatus
from ketline.ports.backends import BackendAdapter
from ketline.ports.tasks.repositories import RemoteAttempts
from ketline.ports.tasks.runner import CircuitRunner
from ketline.service.attempts.attempt import ProcessTask
from ketline.service.attempts.backend_calls import BackendTiming
from ketline.service.attempts.job_attempt import JobAttempt, token_of

log = structlog.get_logger()

MAX_CANCELLED_AT_ONCE = 100


@dataclass(slots=True)
class RunOnBackend:
    """Runs tasks of kind `run` on one backend; `process` claims them and records their outcomes."""

    process: ProcessTask
    repository: RemoteAttempts
    adapter: BackendAdapter
    timing: BackendTiming = field(default_factory=BackendTiming)
    _waiting: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    @property
    def queue(self) -> TaskQueue:
        return self.process.queue

    @property
    def backend(self) -> str:
        assert self.queue.backend is not None  # tasks of kind `run` have one
        return self.queue.backend

    async def __call__(self, task_id: TaskId, runner: CircuitRunner, message: str | None = None) -> None:
        """Claim a task and return when its job is at the backend; then it waits in the background.

        `runner` writes the program in the backend's format. `message` is the trace context of the message.

        Raises:
            DatabaseUnavailable: no task could be claimed; nothing has changed.
        """
        started = self.process.tracing.now()
        claim = await self.process.claim(task_id)
        if claim is None:
            return
        attempt = JobAttempt(
            self.process,
            self.repository,
            self.adapter,
            backend=self.backend,
            claim=claim,
            runner=runner,
            timing=self.timing,
            trace=self.process.trace_of(claim, started, task_id, message),
        )
        await attempt.start()
        if attempt.remote_id is None:
            return
        waiting = asyncio.create_task(attempt.wait())
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        # Let it start: an asyncio task that is cancelled before its first step could not hand the attempt back.
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Hand back the tasks that wait, so that another worker follows their jobs."""
        waiting = list(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def cancel_jobs(self) -> int:
        """Cancel the jobs of tasks that were cancelled or exceeded their time limit, and return how many were found.

        A job is found again until it has ended.

        Raises:
            DatabaseUnavailable: the tasks could not be read, or a cancellation could not be recorded.
        """
        jobs = await self.repository.jobs_to_cancel(self.backend, MAX_CANCELLED_AT_ONCE)
        for job in jobs:
            with structlog.contextvars.bound_contextvars(task_id=str(job.task_id), backend=self.backend):
                await self._cancel_job(job)
        return len(jobs)

    async def _cancel_job(self, cancelled: JobToCancel) -> None:
        task_id = cancelled.task_id
        try:
            found = cancelled.job.remote_id or await self.adapter.reattach(token_of(task_id))
            if found is None:
                await self._give_up(cancelled, "The backend shows no job with the token of this task.")
                return
            remote_id = RemoteId(found)
            state = await self.adapter.poll(remote_id)
            if not state.status.ended:
                await self.adapter.cancel(remote_id)
                state = await self.adapter.poll(remote_id)
            await self.repository.end_job(task_id, RemoteJob(remote_id, state.status))
        except (BackendJobNotFound, BackendOutcomeUnknown) as error:
            await self._give_up(cancelled, str(error))
        except BackendFailed as error:
            log.warning("backend.cancel_delayed", error=str(error))

    async def _give_up(self, cancelled: JobToCancel, reason: str) -> None:
        """End the search for a job that was not found, unless its submission may still arrive."""
        job = cancelled.job
        if job.remote_id is None and cancelled.ended_for < self.timing.longest_submission:
            return  # guard: remote.settled
        log.warning("backend.job_not_cancelled", error=reason)
        await self.repository.end_job(cancelled.task_id, RemoteJob(job.remote_id, RemoteStatus.CANCELLED))
