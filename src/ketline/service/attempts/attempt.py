"""One attempt of a task: claims it, runs it while renewing the lease, and records the outcome if the lease holds.

The slots of a worker call `ProcessTask` for each message.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import structlog

from ketline.domain.access.principals import ProjectName
from ketline.domain.attempts.claim import Claim, Lease
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.errors import DatabaseUnavailable, ExecutionFailed, MachineBusy, SimulatorNotStarted
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.operations import metrics as table
from ketline.domain.results.result import RunResult
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.queues import SIMULATIONS, TaskQueue
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.operations.tracing import NO_ATTEMPT, NO_TRACING, AttemptTrace, Step, Tracing
from ketline.ports.tasks.repositories import TaskAttempts
from ketline.ports.tasks.runner import CircuitRunner
from ketline.service.attempts.deferrals import Deferrals
from ketline.service.task_devices import DeviceTexts
from ketline.service.task_noise import TaskNoise

log = structlog.get_logger()

T = TypeVar("T")

RENEWALS_PER_LEASE = 3
# The worker notices a cancellation at the next renewal, and must stop the task within two seconds.
MAX_RENEWAL_SECONDS = 1.0
RETRY_SECONDS = 0.5

AttemptOutcome = RunResult | ExecutionFailed | MachineBusy


@dataclass(frozen=True, slots=True)
class ProcessTask:
    """Runs the task that a message on `queue` announces, up to a terminal status or back to pending."""

    repository: TaskAttempts
    clock: Clock
    worker_id: WorkerId
    lease: timedelta
    deferrals: Deferrals
    # Called when the database does not respond to a renewal: then leases may expire although their workers are alive.
    contact_interrupted: Callable[[], None] = lambda: None
    queue: TaskQueue = SIMULATIONS
    # The contents of devices and stored models of noise; only for queues of simulations.
    devices: DeviceTexts | None = None
    tracing: Tracing = NO_TRACING
    noise: TaskNoise | None = None
    metrics: Metrics = field(default_factory=NoMetrics)

    async def __call__(self, task_id: TaskId, runner: CircuitRunner, message: str | None = None) -> None:
        """Claim a task, run it and record its outcome; return when the message can be acknowledged.

        `message` is the trace context of the message.

        The claim may give another task than `task_id`: one of higher priority or older. It returns early when no task
        can be claimed, or when the lease was lost. If the call is cancelled, it kills the simulation and hands the task
        back without counting the attempt.

        Raises:
            DatabaseUnavailable: no task could be claimed; nothing has changed.
        """
        started = self.tracing.now()
        claim = await self.claim(task_id)
        if claim is not None:
            await self._attempt(claim, runner, self.trace_of(claim, started, task_id, message))

    async def claim(self, task_id: TaskId) -> Claim | None:
        """Claim a task of the queue, this one or another; None if there is none.

        Raises:
            DatabaseUnavailable: no task could be claimed; nothing has changed.
        """
        claim = await self.repository.claim(task_id, self.worker_id, self.lease, self.queue)
        if claim is None:
            log.debug("task.not_claimed", task_id=str(task_id))
        else:
            self._count_claim(claim)
        return claim

    async def run_short(self, task_id: TaskId, runner: CircuitRunner, message: str | None = None) -> bool:
        """Do the same as `__call__` with a task that is not known to be long; return False if none can be claimed."""
        started = self.tracing.now()
        claim = await self.repository.claim_short(task_id, self.worker_id, self.lease)
        if claim is None:
            return False
        self._count_claim(claim)
        await self._attempt(claim, runner, self.trace_of(claim, started, task_id, message))
        return True

    def _count_claim(self, claim: Claim) -> None:
        self.metrics.observe(table.TASK_WAITING, claim.queued_seconds, self.queue.kind.value)

    def count_run(self, began: float) -> None:
        """Record in the metrics that an attempt has ended, which began at this time of the clock."""
        self.metrics.observe(table.TASK_RUNNING, self.clock.monotonic() - began, self.queue.kind.value)

    def trace_of(self, claim: Claim, started: int, announced: TaskId, message: str | None) -> AttemptTrace:
        """The trace of an attempt; the message that announced the task is part of it only if it was for this task."""
        return self.tracing.attempt(claim, started, message if claim.lease.task_id == announced else None)

    async def _attempt(self, claim: Claim, runner: CircuitRunner, trace: AttemptTrace) -> None:
        with structlog.contextvars.bound_contextvars(
            task_id=str(claim.lease.task_id),
            correlation_id=claim.correlation_id,
            attempt=claim.lease.attempt,
            worker_id=self.worker_id,
            **trace.log_fields,
        ):
            log.info("task.started", queued_seconds=round(claim.queued_seconds, 6))
            await self._run(claim, runner, LeaseKeeper(self, claim.lease), trace)
            await self.deferrals.recall(claim.lease.task_id)  # guard: process.recall

    async def _run(
        self, claim: Claim, runner: CircuitRunner, keeper: "LeaseKeeper", trace: AttemptTrace = NO_ATTEMPT
    ) -> None:
        keeper.start()  # guard: lease.renewed
        trace.step(Step.RUN)
        try:
            outcome = await self._simulate(claim, runner, keeper)
            if outcome is None:
                self.metrics.count(table.LEASES_LOST)
                log.warning("task.lease_lost")
                trace.end("lease_lost", recorded=False)
                return
            await self.record(claim, outcome, trace)
        except asyncio.CancelledError:
            await self.hand_back(claim.lease, trace)  # guard: process.hand_back
            raise
        finally:
            await keeper.stop()
            trace.end("crashed", recorded=False)

    async def _simulate(self, claim: Claim, runner: CircuitRunner, keeper: "LeaseKeeper") -> AttemptOutcome | None:
        """The outcome; None if the lease was lost first, in which case the simulation is killed."""
        began = self.clock.monotonic()
        try:
            async with keeper.holding():
                spec = await self._load_contents(claim.spec, claim.project)
                result = await runner.run(spec, claim.project)
        except (MachineBusy, SimulatorNotStarted) as error:
            return error
        except ExecutionFailed as error:
            self.count_run(began)
            return error
        except LeaseLost:
            self.count_run(began)
            return None
        self.count_run(began)
        return replace(result, profile=replace(result.profile, queued_seconds=claim.queued_seconds))

    async def _load_contents(self, spec: TaskSpec, project: ProjectName) -> TaskSpec:
        """The spec with the contents of its device and its noise; waits until they can be read."""
        devices, noise = self.devices, self.noise
        if devices is not None and spec.options.device is not None:
            spec = await self.persist(lambda: devices.within(project).load_spec(spec))
        if noise is None or not isinstance(spec.options.noise, StoredNoise):
            return spec
        return await self.persist(lambda: noise.within(project).load(spec))

    async def record(self, claim: Claim, outcome: AttemptOutcome, trace: AttemptTrace = NO_ATTEMPT) -> None:
        """Record the outcome of an attempt, if the lease still holds."""
        lease, began = claim.lease, self.clock.monotonic()
        trace.step(Step.RECORD)
        if isinstance(outcome, RunResult):
            trace.ran(outcome.profile)
            recorded: object = await self.persist(lambda: self.repository.finish(lease, outcome))
            event, details = "task.completed", _timings(outcome)
        elif isinstance(outcome, MachineBusy):
            delay = outcome.delay
            cause = outcome.code
            recorded = await self.persist(lambda: self.deferrals.defer(lease, delay, cause))
            event, details = "task.deferred", {"delay_seconds": round(delay.total_seconds(), 3), "cause": cause}
        elif isinstance(outcome, SimulatorNotStarted):
            # Nothing has run, so no attempt is counted. The worker receives no messages until it has a simulator.
            cause = outcome.cause
            recorded = await self.persist(lambda: self.deferrals.defer(lease, timedelta(), cause))
            event, details = "task.returned", {"cause": cause, "reason": outcome.message}
        elif outcome.retryable:
            retry = self.repository.retry
            recorded = await self.persist(lambda: retry(lease, outcome.failure, crashed=True))
            event, details = "task.interrupted", {"cause": outcome.message, "status": recorded}
        else:
            recorded = await self.persist(lambda: self.repository.fail(lease, outcome.failure))
            event, details = "task.failed", {"code": str(outcome.failure.code)}
        self.metrics.observe(table.TASK_RECORDING, self.clock.monotonic() - began)
        # The notification of a waiting client is sent before this attempt is logged and its message acknowledged.
        await asyncio.sleep(0)
        if recorded:
            self._count_outcome(outcome, recorded)
            log.info(event, **details)
        else:
            self.metrics.count(table.WRITES_FENCED)
            log.warning("task.fenced_off")
        trace.end(
            event.removeprefix("task.") if recorded else "fenced_off", recorded=bool(recorded), code=_code(outcome)
        )

    def _count_outcome(self, outcome: AttemptOutcome, recorded: object) -> None:
        if isinstance(outcome, RunResult):
            self.metrics.count(table.TASKS_ENDED, TaskStatus.COMPLETED, "")
        elif isinstance(outcome, MachineBusy):
            self.metrics.count(table.TASK_DEFERRALS, outcome.code)
        elif isinstance(outcome, SimulatorNotStarted):
            self.metrics.count(table.TASK_DEFERRALS, outcome.cause)
        elif recorded is TaskStatus.PENDING:
            self.metrics.count(table.TASK_RETRIES, outcome.failure.code)
        else:
            # The code with which a task fails when no attempts are left.
            code = FailureCode.WORKER_LOST if outcome.retryable else outcome.failure.code
            self.metrics.count(table.TASKS_ENDED, TaskStatus.FAILED, code)

    async def persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Retry the write until the database responds; the write has no effect if the lease was lost meanwhile.

        There is no time limit: the worker cannot claim another task without the database either, and giving up would
        cost the task an attempt.
        """
        delayed = False
        while True:
            try:
                return await write()
            except DatabaseUnavailable as error:
                if not delayed:
                    log.warning("task.recording_delayed", error=str(error))
                delayed = True  # guard: process.persist
            await self.clock.sleep(RETRY_SECONDS)

    async def hand_back(self, lease: Lease, trace: AttemptTrace = NO_ATTEMPT) -> None:
        """Make a task pending again because this worker stops; no attempt is counted."""
        try:
            released = await self.repository.release(lease)
        except DatabaseUnavailable:
            released = False
        log.info("task.handed_back", released=released)
        trace.end("handed_back", recorded=released)


class LeaseLost(Exception):
    """The task was cancelled, or another worker has claimed it: nothing more may be done for this attempt."""


class LeaseKeeper:
    """Renews the lease of one attempt at intervals, until it is stopped or the database says that the lease is lost.

    While the database does not answer, the simulation continues: a lease that has expired can still be renewed until
    another worker claims the task.
    """

    def __init__(self, process: ProcessTask, lease: Lease, *, longest_seconds: float = MAX_RENEWAL_SECONDS) -> None:
        self._process = process
        self._lease = lease
        self._interval = min(process.lease.total_seconds() / RENEWALS_PER_LEASE, longest_seconds)
        self._first_renewal: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failing = False
        self._lost = False
        self._until_lost: asyncio.Timeout | None = None

    def start(self) -> None:
        """Schedule the first renewal; most tasks end before it, so for them this is only a timer."""
        self._first_renewal = asyncio.get_running_loop().call_later(self._interval, self._start_renewing)

    async def stop(self) -> None:
        """Stop renewing, and wait for a renewal that is under way."""
        if self._first_renewal is not None:
            self._first_renewal.cancel()
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Cancel the code in this context once the lease is lost; a separate asyncio task would delay short programs.

        Raises:
            LeaseLost: the lease was lost before the context ended.
        """
        until_lost = asyncio.timeout(0 if self._lost else None)
        try:
            async with until_lost:
                self._until_lost = until_lost
                try:
                    yield
                finally:
                    self._until_lost = None
        except TimeoutError:
            if not until_lost.expired():
                raise
            raise LeaseLost from None

    def _start_renewing(self) -> None:
        self._renewing = asyncio.create_task(self.run())

    async def run(self) -> None:
        """Renew now and at every interval, until cancelled or until the lease is lost."""
        while await self._renew():
            pause = min(RETRY_SECONDS, self._interval) if self._failing else self._interval
            await self._process.clock.sleep(pause)
        self._lose()  # guard: lease.lost

    def _lose(self) -> None:
        self._lost = True
        if self._until_lost is not None:
            self._until_lost.reschedule(0.0)

    async def _renew(self) -> bool:
        """Renew the lease; False if it is lost, True if it is held or the database did not respond."""
        try:
            renewed = await self._process.repository.renew(self._lease, self._process.lease)
        except DatabaseUnavailable as error:
            self._process.contact_interrupted()
            if not self._failing:  # once for each outage
                log.warning("lease.not_renewed", error=str(error))
            self._failing = True
            return True  # guard: lease.unanswered
        except Exception:
            # Log it and continue: otherwise the lease would expire for no visible reason.
            log.exception("lease.renewal_crashed")
            return True
        if self._failing:
            log.info("lease.renewed_again" if renewed else "lease.taken_away")
        self._failing = False
        return renewed


def _code(outcome: AttemptOutcome) -> str | None:
    """The stable error code of an attempt without a result."""
    match outcome:
        case RunResult():
            return None
        case MachineBusy():
            return outcome.code
        case SimulatorNotStarted():
            return outcome.cause
        case ExecutionFailed():
            return outcome.failure.code.value


def _timings(result: RunResult) -> dict[str, object]:
    profile = result.profile
    return {
        "queued_seconds": round(profile.queued_seconds, 6),
        "parsing_seconds": round(profile.parsing_seconds, 6),
        "simulating_seconds": round(profile.simulating_seconds, 6),
    }
