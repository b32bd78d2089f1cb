"""Run one task: claim it, simulate it while its lease is kept, record the outcome under the fence."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from ketline.domain.errors import DatabaseUnavailable, ExecutionFailed, MachineBusy, SimulatorNotStarted
from ketline.domain.task import Claim, Lease, RunResult, TaskId, WorkerId
from ketline.ports.repositories import TaskAttempts
from ketline.ports.tasks import CircuitRunner, Clock
from ketline.service.attempts.deferrals import Deferrals

log = structlog.get_logger()

T = TypeVar("T")

RENEWALS_PER_LEASE = 3
# A cancelled task is noticed at the next renewal, and must stop within two seconds.
LONGEST_BEAT_SECONDS = 1.0
RETRY_SECONDS = 0.5

Outcome = RunResult | ExecutionFailed | MachineBusy


@dataclass(frozen=True, slots=True)
class ProcessTask:
    """Takes a task from its message to its terminal status, or leaves it to somebody else."""

    repository: TaskAttempts
    clock: Clock
    worker_id: WorkerId
    lease: timedelta
    deferrals: Deferrals
    # Called when the database did not answer a renewal: leases may run out that nobody can renew.
    interrupted: Callable[[], None] = lambda: None

    async def __call__(self, task_id: TaskId, runner: CircuitRunner) -> None:
        """Return when the message is dealt with: a task recorded, fenced off, or none there to be run.

        The message tells that there is work: the task it names, or one whose turn it is rather.

        A cancellation kills the simulation and hands the task back without spending an attempt.

        Raises:
            DatabaseUnavailable: the task could not be claimed; nothing has happened.
        """
        claim = await self.repository.claim(task_id, self.worker_id, self.lease)
        if claim is None:
            log.debug("task.not_claimed", task_id=str(task_id))
            return
        await self._attempt(claim, runner)

    async def short(self, task_id: TaskId, runner: CircuitRunner) -> bool:
        """As a call, for a task that is not known to be long; False when there is none, and nothing has happened."""
        claim = await self.repository.claim_short(task_id, self.worker_id, self.lease)
        if claim is None:
            return False
        await self._attempt(claim, runner)
        return True

    async def _attempt(self, claim: Claim, runner: CircuitRunner) -> None:
        with structlog.contextvars.bound_contextvars(
            task_id=str(claim.lease.task_id),
            correlation_id=claim.correlation_id,
            attempt=claim.lease.attempt,
            worker_id=self.worker_id,
        ):
            log.info("task.started", queued_seconds=round(claim.queued_seconds, 6))
            await self._run(claim, runner, LeaseKeeper(self, claim.lease))
            await self.deferrals.recall(claim.lease.task_id)  # guard: process.recall

    async def _run(self, claim: Claim, runner: CircuitRunner, keeper: "LeaseKeeper") -> None:
        keeper.start()  # guard: lease.renewed
        try:
            outcome = await self._simulate(claim, runner, keeper)
            if outcome is None:
                log.warning("task.lease_lost")
                return
            await self._record(claim, outcome)
        except asyncio.CancelledError:
            await self._hand_back(claim.lease)  # guard: process.hand_back
            raise
        finally:
            await keeper.stop()

    async def _simulate(self, claim: Claim, runner: CircuitRunner, keeper: "LeaseKeeper") -> Outcome | None:
        """The outcome, or None when the lease was lost first and the simulation killed."""
        running = asyncio.create_task(runner.run(claim.spec))
        either: set[asyncio.Future[Any]] = {running, keeper.lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return None
            result = running.result()
        except (ExecutionFailed, MachineBusy) as error:
            return error
        finally:
            if not running.done():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        return replace(result, profile=replace(result.profile, queued_seconds=claim.queued_seconds))

    async def _record(self, claim: Claim, outcome: Outcome) -> None:
        lease = claim.lease
        if isinstance(outcome, RunResult):
            recorded: object = await self._persist(lambda: self.repository.finish(lease, outcome))
            event, details = "task.completed", _timings(outcome)
        elif isinstance(outcome, MachineBusy):
            delay = outcome.delay
            cause = outcome.code
            recorded = await self._persist(lambda: self.deferrals.defer(lease, delay, cause))
            event, details = "task.deferred", {"delay_seconds": round(delay.total_seconds(), 3), "cause": cause}
        elif isinstance(outcome, SimulatorNotStarted):
            # Nothing has run, so nothing is spent; this worker takes no more messages until it has a simulator.
            cause = outcome.cause
            recorded = await self._persist(lambda: self.deferrals.defer(lease, timedelta(), cause))
            event, details = "task.returned", {"cause": cause, "reason": outcome.message}
        elif outcome.retryable:
            retry = self.repository.retry
            recorded = await self._persist(lambda: retry(lease, outcome.failure, crashed=True))
            event, details = "task.interrupted", {"cause": outcome.message, "status": recorded}
        else:
            recorded = await self._persist(lambda: self.repository.fail(lease, outcome.failure))
            event, details = "task.failed", {"code": str(outcome.failure.code)}
        if recorded:
            log.info(event, **details)
        else:
            log.warning("task.fenced_off")

    async def _persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Offer the outcome until the database answers, however long that takes; the fence decides whether it counts.

        This worker could not claim another task meanwhile either, and giving up would cost the task an attempt.
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

    async def _hand_back(self, lease: Lease) -> None:
        try:
            released = await self.repository.release(lease)
        except DatabaseUnavailable:
            released = False
        log.info("task.handed_back", released=released)


class LeaseKeeper:
    """Renews one lease on a beat well inside its life, until the database says that it is another's.

    While the database does not answer, the simulation goes on: the lease may run out, and can still be renewed as long
    as nobody has taken the task.
    """

    def __init__(self, process: ProcessTask, lease: Lease) -> None:
        self._process = process
        self._lease = lease
        self._beat = min(process.lease.total_seconds() / RENEWALS_PER_LEASE, LONGEST_BEAT_SECONDS)
        self._first: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failing = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Renew from the first beat on; until then, when most tasks have ended, it costs no more than a timer."""
        self._first = asyncio.get_running_loop().call_later(self._beat, self._begin)

    async def stop(self) -> None:
        """Return when nothing is renewed any more."""
        if self._first is not None:
            self._first.cancel()
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])

    def _begin(self) -> None:
        self._renewing = asyncio.create_task(self.run())

    async def run(self) -> None:
        """Renew, now and on every beat, until cancelled, or until the database says the lease is another's."""
        while await self._renew():
            pause = min(RETRY_SECONDS, self._beat) if self._failing else self._beat
            await self._process.clock.sleep(pause)
        self.lost.set_result(None)  # guard: lease.lost

    async def _renew(self) -> bool:
        """Whether the lease is held, as far as can be told."""
        try:
            renewed = await self._process.repository.renew(self._lease, self._process.lease)
        except DatabaseUnavailable as error:
            self._process.interrupted()
            if not self._failing:  # once for each time it begins to fail
                log.warning("lease.not_renewed", error=str(error))
            self._failing = True
            return True  # guard: lease.unanswered
        except Exception:
            # A silent end of the beat would be one that nobody could explain.
            log.exception("lease.renewal_crashed")
            return True
        if self._failing:
            log.info("lease.renewed_again" if renewed else "lease.taken_away")
        self._failing = False
        return renewed


def _timings(result: RunResult) -> dict[str, object]:
    profile = result.profile
    return {
        "queued_seconds": round(profile.queued_seconds, 6),
        "parsing_seconds": round(profile.parsing_seconds, 6),
        "simulating_seconds": round(profile.simulating_seconds, 6),
    }
