"""The reaper: takes tasks whose leases expired from their workers, and repairs times after a step of the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from ketline.domain.attempts.claim import Reaped
from ketline.domain.attempts.leases import Expiry, LeaseSurvey
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.failures import FailureCode
from ketline.domain.ids import LeaseToken
from ketline.domain.operations import metrics as table
from ketline.domain.status import TaskStatus
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.tasks.repositories import TaskUpkeep
from ketline.service.loop import Loop
from ketline.service.upkeep.contact import DatabaseContact

log = structlog.get_logger()

KEYS_PER_ROUND = 1000
READINGS_PER_LEASE = 4
# Statements that began before a step of the clock may commit after it, so times are corrected several times.
CORRECTIONS = 3


@dataclass(slots=True)
class Reaper:
    """Reaps tasks whose leases expired, and deletes expired idempotency keys; one runs in every process.

    It reaps only while contact with the database is steady. `nudge` wakes the dispatcher for tasks that are due again
    at once.
    """

    repository: TaskUpkeep
    nudge: Callable[[], None]
    clock: Clock
    interval_seconds: float
    contact: DatabaseContact
    batch: int = 100
    tracing: Tracing = NO_TRACING
    metrics: Metrics = field(default_factory=NoMetrics)
    # The clock may have been set back before this process started.
    _corrections: int = field(default=1, init=False)  # guard: clock.at_start
    _distant: Mapping[LeaseToken, tuple[datetime, float]] = field(default_factory=dict, init=False)

    async def run(self) -> None:
        """Reap until cancelled."""
        pause = min(self.interval_seconds, self.contact.lease.total_seconds() / READINGS_PER_LEASE)
        await Loop(self._round, pause, delayed="reap.delayed", crashed="reap.crashed", sleep=self.clock.sleep).run()

    async def _round(self) -> None:
        try:
            await self._survey_and_reap()
        except ServiceUnavailable:
            self.contact.interrupted()
            raise

    async def _survey_and_reap(self) -> None:
        survey = await self.survey()
        # Right after the survey: if this process paused in between, its workers could not have renewed their leases.
        # guard: reap.steady
        while self.contact.steady and await self.reap(survey) == self.batch:
            pass
        if self._corrections:
            await self._correct_times()
        await self.repository.delete_expired_keys(KEYS_PER_ROUND)

    async def survey(self) -> LeaseSurvey:
        """Read the database's clock, and the leases that end later than a lease granted now could end.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        requested = self.clock.monotonic()
        survey = await self.repository.survey_leases(self._beyond)
        if self.contact.record(survey.at, requested):
            log.warning("database.clock_set_back")
            self._corrections = CORRECTIONS  # guard: clock.corrections
        self._distant = {
            token: self._distant[token] if self._distant.get(token, (None,))[0] == end else (end, requested)
            for token, end in survey.distant.items()
        }
        return survey

    async def reap(self, survey: LeaseSurvey) -> int:
        """Reap one batch of the leases that had expired at the time of the survey, and return its size.

        Raises:
            DatabaseUnavailable: nothing was reaped.
        """
        outage, unrenewed = self.contact.outage, self._unrenewed()  # guard: clock.unrenewed
        expiry = Expiry(as_of=survey.at, outage=outage, unrenewed=unrenewed, beyond=self._beyond)
        reaped = await self.repository.reap(self.batch, expiry)
        for task in reaped:
            self.tracing.reaped(task)
            self._count(task)
            log.warning(
                "task.reaped",
                task_id=str(task.task_id),
                correlation_id=task.correlation_id,
                attempt=task.attempt,
                worker_id=task.worker_id,
                status=str(task.status),
                cause=task.cause,
            )
        if reaped:
            self.nudge()
        return len(reaped)

    def _count(self, task: Reaped) -> None:
        self.metrics.count(table.LEASES_EXPIRED, task.status)
        if task.status is TaskStatus.FAILED:
            self.metrics.count(table.TASKS_ENDED, task.status, FailureCode.WORKER_LOST)

    @property
    def _beyond(self) -> timedelta:
        """A lease that ends later than this from now was granted before the clock was set back."""
        return 2 * self.contact.lease

    def _unrenewed(self) -> Sequence[LeaseToken]:
        """Distant leases that did not change for the duration of a lease: a live worker would have renewed them."""
        before = self.clock.monotonic() - self.contact.lease.total_seconds()
        return [token for token, (_, seen_at) in self._distant.items() if seen_at <= before]

    async def _correct_times(self) -> None:
        self._corrections -= 1
        if corrected := await self.repository.correct_times():
            log.warning("tasks.times_corrected", tasks=corrected)
            self.nudge()
