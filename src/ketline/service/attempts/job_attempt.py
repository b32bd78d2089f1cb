"""One attempt of a task on an external backend; `remote.py` creates it after it has claimed the task.

The intent to submit a job is committed before the call, and the job's id right after it: if this worker dies, another
looks for the job or follows it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from typing import TypeVar

import structlog

from ketline.domain.attempts.claim import Claim
from ketline.domain.backends.backend_jobs import (
    BackendDescription,
    BackendJob,
    ClientToken,
    RemoteId,
    RemoteState,
    check_counts,
)
from ketline.domain.errors import (
    BackendFailed,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendUnavailable,
    ExecutionFailed,
    MachineBusy,
)
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import TaskId
from ketline.domain.operations import metrics as table
from ketline.domain.results.result import Profile, RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from ketline.ports.backends import BackendAdapter
from ketline.ports.operations.tracing import NO_ATTEMPT, AttemptTrace, Step
from ketline.ports.tasks.repositories import RemoteAttempts
from ketline.ports.tasks.runner import CircuitRunner
from ketline.service.attempts.attempt import LeaseKeeper, LeaseLost, ProcessTask
from ketline.service.attempts.backend_calls import BackendCalls, BackendTiming
from ketline.service.attempts.job_program import write_job
from ketline.service.attempts.job_time_limit import JobTimeLimit

log = structlog.get_logger()

T = TypeVar("T")

# How often an attempt looks for the job of a submission without a response, before the next attempt does.
LOOKUPS = 5


class WriteFailed(Exception):
    """A write to the database failed unexpectedly; `__cause__` is the error. The lease then expires."""


class JobAttempt:
    """One attempt of a task on the backend: `start` submits or finds the job, `wait` records its outcome."""

    def __init__(
        self,
        process: ProcessTask,
        repository: RemoteAttempts,
        adapter: BackendAdapter,
        *,
        backend: str,
        claim: Claim,
        runner: CircuitRunner,
        timing: BackendTiming,
        trace: AttemptTrace = NO_ATTEMPT,
    ) -> None:
        self._process = process
        self._repository = repository
        self._adapter = adapter
        self._backend = backend
        self._claim = claim
        self._runner = runner
        self._trace = trace
        self._token = token_of(claim.lease.task_id)
        self._keeper = LeaseKeeper(process, claim.lease, longest_seconds=inf)
        self._calls = BackendCalls(process.clock, timing)
        self._limit = JobTimeLimit(process.clock, claim.spec.time_limit_seconds)
        self._limit.start(claim.job_seconds)  # guard: remote.limit
        self._job: BackendJob | None = None
        self._written: Profile | None = None
        self._began = process.clock.monotonic()
        self.remote_id: RemoteId | None = None

    async def start(self) -> None:
        """Submit the job unless the backend has it, and set `remote_id`; it stays None if the attempt has ended.

        Raises:
            WriteFailed: the state of the job could not be recorded; the next attempt looks for the job.
        """
        with self._bound():
            log.info("task.started", queued_seconds=round(self._claim.queued_seconds, 6))
            self._keeper.start()
            self._trace.step(Step.SUBMIT_JOB)
            submitted = False
            try:
                submitted = await self._guarded(self._ensure_job)
            finally:
                if not submitted:
                    self.remote_id = None
                    await self._keeper.stop()
                    self._trace.end("crashed", recorded=False)
            if submitted:
                log.info("backend.job_submitted", remote_id=self.remote_id)

    async def wait(self) -> None:
        """Wait until the job has ended at the backend, and record its outcome."""
        with self._bound():
            self._trace.step(Step.FOLLOW_JOB)
            try:
                await self._guarded(self._follow)
            except Exception:
                # Nothing awaits this asyncio task. The lease expires, and the next attempt polls the job.
                log.exception("backend.wait_crashed")
            finally:
                self._process.count_run(self._began)
                await self._keeper.stop()
                self._trace.end("crashed", recorded=False)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Run one part of the attempt; return False if it ended the attempt, after its outcome was recorded."""
        lease = self._claim.lease
        try:
            async with self._keeper.holding():
                await work()
        except LeaseLost:
            self._process.metrics.count(table.LEASES_LOST)
            log.warning("task.lease_lost")
            self._trace.end("lease_lost", recorded=False)
        except asyncio.CancelledError:
            await self._process.hand_back(lease, self._trace)
            raise
        except (ExecutionFailed, MachineBusy) as error:
            await self._process.record(self._claim, error, self._trace)
        except BackendUnavailable as error:
            delay = error.delay or self._calls.timing.unavailable_delay
            log.warning("backend.unavailable", error=str(error), delay_seconds=delay.total_seconds())
            cause = BackendUnavailable.code
            deferred = await self._process.persist(lambda: self._process.deferrals.defer(lease, delay, cause))
            if deferred:
                self._process.metrics.count(table.TASK_DEFERRALS, cause)
            self._trace.end("deferred", recorded=deferred, code=cause)
        except BackendFailed as error:
            await self._fail(_code_of(error), str(error))
        except WriteFailed:
            raise
        except Exception as error:
            # An adapter may raise any exception, whose text may contain a credential.
            log.exception("backend.crashed")
            await self._fail(FailureCode.BACKEND_FAILED, f"The adapter failed with {type(error).__name__}.")
        else:
            return True
        return False

    async def _ensure_job(self) -> None:
        known = self._claim.remote_job
        description = await self._describe()
        self._job, self._written = await write_job(self._claim, description, self._runner)
        if known is not None and known.remote_id is not None:
            self.remote_id = RemoteId(known.remote_id)
            return
        if known is not None and await self._find(description):
            return
        await self._adapter.validate(self._job)
        await self._submit(self._job, description)

    async def _describe(self) -> BackendDescription:
        try:
            return await self._adapter.describe()
        except BackendFailed as error:
            if type(error) is BackendFailed:
                raise BackendUnavailable(f"The backend cannot be described: {error}") from error
            raise

    async def _submit(self, job: BackendJob, description: BackendDescription) -> None:
        nothing_sent = self._claim.remote_job is None
        for _ in range(LOOKUPS):
            # Each time: a task that was cancelled meanwhile is not submitted again.
            await self._record(RemoteJob())  # guard: remote.before
            self._limit.start()
            try:
                self.remote_id = await self._adapter.submit(job, self._token)
            except BackendUnavailable:
                if nothing_sent:
                    await self._record(None)  # guard: remote.not_submitted
                raise
            except BackendOutcomeUnknown as error:
                nothing_sent = False  # guard: remote.nothing_sent
                log.warning("backend.outcome_unknown", error=str(error))
                if await self._find(description):
                    return
            else:
                await self._record(RemoteJob(self.remote_id, RemoteStatus.QUEUED))  # guard: remote.id
                return
        raise BackendUnavailable("No answer to a submission came from the backend; the next attempt looks for the job.")

    async def _find(self, description: BackendDescription) -> bool:
        """Whether the backend has the job of an earlier submission; False if it is safe to submit it.

        Raises:
            BackendOutcomeUnknown: the backend cannot tell, and a second job could cost twice.
        """
        try:
            self.remote_id = await self._calls.retried(partial(self._adapter.reattach, self._token), LOOKUPS)
        except BackendOutcomeUnknown as error:
            if description.local or description.recognises_tokens:
                return False
            raise BackendOutcomeUnknown(
                f"It is unknown whether the backend has the job: {error} It was not submitted again. Look for it at "
                f"the backend by the token {self._token}, and submit the task again if it is not there."
            ) from error
        if self.remote_id is None:
            return False
        await self._record(RemoteJob(self.remote_id, RemoteStatus.QUEUED))
        return True

    async def _follow(self) -> None:
        shown = RemoteStatus.QUEUED
        while True:
            try:
                state = await self._poll()
            except BackendJobNotFound:
                await self._submit_lost_job()
                continue
            if state is not None and state.status is not shown:
                shown = state.status
                await self._record(RemoteJob(self.remote_id, shown))
            if state is not None and shown.ended:
                await self._finish(shown, state.message)
                return
            if state is None or self._limit.exceeded:
                await self._fail(FailureCode.TIMEOUT, self._limit.exceeded_message(self.remote_id, self._backend))
                return
            await self._calls.pause(min(state.pause_seconds, self._limit.remaining_seconds))

    async def _poll(self) -> RemoteState | None:
        """The state of the job; None if the backend has not reported it by the job's time limit."""
        assert self.remote_id is not None  # `start` has set it
        polling = self._calls.retried(partial(self._adapter.poll, self.remote_id))
        if self._limit.seconds is None:
            return await polling
        seconds = max(self._limit.remaining_seconds, self._calls.timing.last_poll_seconds)
        try:
            async with asyncio.timeout(seconds) as waiting:
                return await polling
        except TimeoutError:
            if not waiting.expired():
                raise
            return None

    async def _submit_lost_job(self) -> None:
        """Submit a job again that was lost with its worker, because its backend ran on the worker's machine."""
        description = await self._calls.retried(self._adapter.describe)
        if not description.local:
            raise BackendJobNotFound(f"The backend has no job {self.remote_id}, or no longer.")
        assert self._job is not None  # `_ensure_job` has written it
        await self._submit(self._job, description)

    async def _finish(self, status: RemoteStatus, message: str | None) -> None:
        if status is RemoteStatus.CANCELLED:
            await self._fail(FailureCode.BACKEND_FAILED, "The job was cancelled at the backend.")
        elif status is RemoteStatus.FAILED:
            await self._fail(FailureCode.BACKEND_FAILED, message or "The job failed at the backend.")
        else:
            result = await self._result()
            await _recorded(self._process.record(self._claim, result, self._trace))

    async def _result(self) -> RunResult:
        assert self.remote_id is not None
        assert self._job is not None  # `_ensure_job` has set it
        job = self._job
        counts = await self._calls.retried(partial(self._adapter.result, self.remote_id, job))
        check_counts(counts, job)
        profile = self._written or Profile(
            method=self._backend, qubits=0, depth=0, operations={}, parsing_seconds=0.0, simulating_seconds=0.0
        )
        profile = replace(profile, method=self._backend, queued_seconds=self._claim.queued_seconds)
        return RunResult(counts=counts, shots=job.shots, profile=profile)

    async def _record(self, job: RemoteJob | None) -> None:
        """Commit the state of the job, None if there is no job.

        Raises:
            LeaseLost: this worker no longer holds the task.
            WriteFailed: the state could not be recorded.
        """
        recorded = await _recorded(self._process.persist(lambda: self._repository.record_job(self._claim.lease, job)))
        if not recorded:
            raise LeaseLost

    async def _fail(self, code: FailureCode, message: str) -> None:
        failure, repository = Failure(code=code, message=message), self._process.repository
        self._trace.step(Step.RECORD)
        recorded = await _recorded(self._process.persist(lambda: repository.fail(self._claim.lease, failure)))
        if recorded:
            self._process.metrics.count(table.TASKS_ENDED, TaskStatus.FAILED, code)
            log.info("task.failed", code=str(code))
        else:
            self._process.metrics.count(table.WRITES_FENCED)
            log.warning("task.fenced_off")
        self._trace.end("failed" if recorded else "fenced_off", recorded=recorded, code=code.value)

    @contextmanager
    def _bound(self) -> Iterator[None]:
        lease = self._claim.lease
        fields = structlog.contextvars.bound_contextvars(
            task_id=str(lease.task_id),
            correlation_id=self._claim.correlation_id,
            attempt=lease.attempt,
            worker_id=lease.worker_id,
            backend=self._backend,
            **self._trace.log_fields,
        )
        with fields, self._trace.active():
            yield


def token_of(task_id: TaskId) -> ClientToken:
    """The token of a task's submission, the same in every attempt."""
    return ClientToken(str(task_id))


async def _recorded(write: Awaitable[T]) -> T:
    """Return the result of a write; its errors become `WriteFailed`, to tell them from errors of the adapter."""
    try:
        return await write
    except Exception as error:
        raise WriteFailed from error


def _code_of(error: BackendFailed) -> FailureCode:
    """The failure code of an error that ends its task; its value is the error's own code."""
    return FailureCode(error.code)
