"""Submissions of tasks: stores them as pending, then passes them to the dispatcher.

The routes that submit, and reruns, call `SubmitTask`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.access.quotas import ProjectQuotas
from ketline.domain.attempts.claim import Dispatch
from ketline.domain.errors import QuotaExceeded
from ketline.domain.ids import TaskId
from ketline.domain.operations import metrics as table
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import queue_of
from ketline.domain.tasks.quota_checks import limited
from ketline.domain.tasks.seeds import fresh_seed
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.domain.tasks.task_ids import TaskIds
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.operations.tracing import NO_TRACING, Tracing
from ketline.ports.tasks.repositories import TaskSubmissions
from ketline.service.task_devices import TaskDevices
from ketline.service.task_noise import TaskNoise
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.callbacks import KnownCallbacks
from ketline.service.tasks.quotas import KnownQuotas


class Outbox(Protocol):
    """The part of the dispatcher that a submission uses; `upkeep.dispatcher.Dispatcher` implements it."""

    def has_room(self) -> bool:
        """Whether a task may be stored as already taken, to be `put` here after the commit."""
        ...

    def put(self, dispatch: Dispatch) -> None:
        """Publish a task that was stored as already taken."""
        ...

    def nudge(self) -> None:
        """Look for due tasks now."""
        ...


@dataclass(frozen=True, slots=True)
class SubmitTask:
    """Stores a pending task; after the commit puts it into `outbox`, or wakes the dispatcher if the outbox is full.

    Tasks of a `project` with quotas are stored within them. `time_limit_seconds` is that of a task without its own.
    The content of a task's device, and a large model of noise, stay stored as long as the task.
    """

    repository: TaskSubmissions
    outbox: Outbox
    backlog: Backlog
    max_attempts: int
    quotas: KnownQuotas
    callbacks: KnownCallbacks
    devices: TaskDevices
    noise: TaskNoise
    project: ProjectName = DEFAULT_PROJECT
    time_limit_seconds: float = math.inf
    new_id: Callable[[], TaskId] = field(default_factory=TaskIds)
    tracing: Tracing = NO_TRACING
    metrics: Metrics = field(default_factory=NoMetrics)

    def within(self, project: ProjectName, repository: TaskSubmissions) -> Self:
        """Return the service for the tasks of another project, which stores them by its `repository`."""
        devices, noise = self.devices.within(project), self.noise.within(project)
        return replace(self, repository=repository, project=project, devices=devices, noise=noise, new_id=TaskIds())

    async def __call__(self, submission: Submission) -> Accepted:
        """Return once the task is committed; a task without a seed gets a random one.

        Raises:
            BacklogFull: the number of pending tasks has reached the operator's limit.
            QuotaExceeded: a quota of the project does not permit the task.
            IdempotencyKeyReused: the key belongs to a different submission.
            DeviceMismatch: the content of an older task's device is lost.
            DatabaseUnavailable: it is unknown whether the task was committed.
        """
        try:
            return await self._submit(submission)
        except QuotaExceeded as error:
            self._count_rejection(error)
            raise

    async def _submit(self, submission: Submission) -> Accepted:
        self.backlog.require_room()
        quotas = await self.quotas.of(self.project)
        submission = self._with_defaults(submission, quotas)
        if await self.callbacks.has(self.project):
            submission = replace(submission, project_callback=True)
        [submission] = await self._with_contents([submission], limited=bool(quotas))
        # Only the database's clock decides when a scheduled task is due, so the dispatcher finds it there.
        at_once = submission.spec.scheduled_for is None and not submission.spec.hold
        taken = at_once and self.outbox.has_room()  # guard: schedule.outbox
        started = self.tracing.now()
        accepted = await self.repository.add(submission, taken=taken, limited=bool(quotas))
        self.tracing.stored([submission], [accepted], started)
        if not accepted.repeated:
            self.metrics.count(table.TASKS_SUBMITTED, submission.spec.kind)
            self.backlog.grow()
            self._dispatch(submission, taken=taken)
        return accepted

    async def all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        """Store several tasks in one transaction; return once they are committed. If it raises, none is stored.

        Raises:
            BacklogFull: storing all of them would exceed the limit.
            QuotaExceeded: a quota of the project does not permit all of them.
            IdempotencyKeyReused: a key belongs to a different submission.
            DatabaseUnavailable: it is unknown whether they were committed.
        """
        try:
            return await self._submit_all(submissions)
        except QuotaExceeded as error:
            self._count_rejection(error)
            raise

    async def _submit_all(self, submissions: Sequence[Submission]) -> Sequence[Accepted]:
        self.backlog.require_room(len(submissions))
        quotas = await self.quotas.of(self.project)
        has_callback = await self.callbacks.has(self.project)
        completed = [
            replace(self._with_defaults(submission, quotas), project_callback=has_callback)
            for submission in submissions
        ]
        completed = await self._with_contents(completed, limited=bool(quotas))
        started = self.tracing.now()
        accepted = await self.repository.add_all(completed, limited=bool(quotas))
        self.tracing.stored(completed, accepted, started)
        self.backlog.grow(sum(not task.repeated for task in accepted))
        for submission, task in zip(completed, accepted, strict=True):
            if not task.repeated:
                self.metrics.count(table.TASKS_SUBMITTED, submission.spec.kind)
        self.outbox.nudge()
        return accepted

    async def limited(self, spec: TaskSpec, owner: Owner | None) -> TaskSpec:
        """Return a spec with the limits that its task would get if the owner submitted it now.

        Raises:
            DatabaseUnavailable: the quotas of the project have never been read, and cannot be read now.
        """
        return self._limited(spec, await self.quotas.of(self.project), owner)

    def _count_rejection(self, error: QuotaExceeded) -> None:
        self.metrics.count(table.QUOTA_REFUSALS, error.quota, error.scope)

    async def _store_devices(self, submissions: Sequence[Submission]) -> None:
        """Store the contents of devices, before the tasks that need them are stored."""
        runs = {run.digest: run for submission in submissions if (run := submission.spec.options.device) is not None}
        for run in runs.values():
            await self.devices.store(run)  # guard: submit.device

    async def _with_contents(self, submissions: Sequence[Submission], *, limited: bool) -> list[Submission]:
        """Store large noise models, and return the submissions with references to them."""
        referring = [replace(one, spec=self.noise.refer(one.spec)) for one in submissions]
        if limited and not all(self.noise.is_stored(one.spec) for one in referring):
            # Otherwise the noise of a rejected submission would stay stored for an hour after each request.
            await self.repository.require_room(submissions)  # guard: submit.room
        await self._store_devices(submissions)
        for one in referring:
            await self.noise.store(one.spec)  # guard: submit.noise
        return referring

    def _limited(self, spec: TaskSpec, quotas: ProjectQuotas, owner: Owner | None) -> TaskSpec:
        return limited(spec, quotas, self.time_limit_seconds, owned=owner is not None)

    def _with_defaults(self, submission: Submission, quotas: ProjectQuotas) -> Submission:
        spec = self._limited(submission.spec, quotas, submission.owner)
        max_attempts = spec.max_attempts or self.max_attempts
        options = spec.options if spec.kind is TaskKind.CONVERT else _with_seed(spec.options)
        spec = replace(spec, max_attempts=max_attempts, options=options)
        return replace(submission, spec=spec)

    def _dispatch(self, submission: Submission, *, taken: bool) -> None:
        if not taken:
            self.outbox.nudge()
            return
        dispatch = Dispatch(
            task_id=submission.task_id,
            correlation_id=submission.correlation_id,
            trace_context=submission.trace_context,
            queue=queue_of(submission.spec),
        )
        self.outbox.put(dispatch)


def _with_seed(options: RunOptions) -> RunOptions:
    if options.seed is not None:
        return options
    return replace(options, seed=fresh_seed())
