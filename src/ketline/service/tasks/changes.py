"""Changes of a stored task, and submissions of its program as a new task, for clients."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import DEFAULT_PROJECT, Owner, ProjectName
from ketline.domain.access.quotas import ProjectQuotas
from ketline.domain.errors import DeviceMismatch, QuotaExceeded, TaskNotFound
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.operations import metrics as table
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Changeable, TaskChange
from ketline.domain.tasks.quota_checks import require_priority
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Accepted, IdempotencyKey, Submission
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.ports.tasks.catalogue import TaskCatalogue
from ketline.ports.tasks.repositories import TaskSubmissions
from ketline.service.tasks.quotas import KnownQuotas
from ketline.service.tasks.submission import SubmitTask


@dataclass(frozen=True, slots=True)
class ChangeTask:
    """Changes a task's labels, schedule or priority; `nudge` wakes the dispatcher when the schedule changes."""

    catalogue: TaskCatalogue
    nudge: Callable[[], None]
    quotas: KnownQuotas
    project: ProjectName = DEFAULT_PROJECT
    metrics: Metrics = field(default_factory=NoMetrics)

    async def __call__(self, task_id: TaskId, change: TaskChange) -> None:
        """Return when the change is committed.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotPending: the schedule or priority is to change, but the task has started or ended.
            QuotaExceeded: the new priority is higher than a quota of the project.
            DatabaseUnavailable: it is unknown whether the change was committed.
        """
        if Changeable.PRIORITY in change.fields:
            self._require_priority(change.priority, await self.quotas.of(self.project))
        await self.catalogue.change(task_id, change)
        if Changeable.SCHEDULED_FOR in change.fields:
            self.nudge()

    def _require_priority(self, priority: int, quotas: ProjectQuotas) -> None:
        try:
            require_priority(priority, quotas)
        except QuotaExceeded as error:
            self.metrics.count(table.QUOTA_REFUSALS, error.quota, error.scope)
            raise


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Cancels a task that has not ended."""

    repository: TaskSubmissions
    metrics: Metrics = field(default_factory=NoMetrics)

    async def __call__(self, task_id: TaskId, actor: Actor) -> None:
        """Return when the cancellation and its actor are committed.

        Raises:
            TaskNotFound, TaskEnded: as for `TaskSubmissions.cancel`.
            DatabaseUnavailable: it is unknown whether the cancellation was committed.
        """
        await self.repository.cancel(task_id, actor)
        self.metrics.count(table.TASKS_ENDED, TaskStatus.CANCELLED, "")


@dataclass(frozen=True, slots=True)
class EnqueueTask:
    """Releases a held task; `nudge` wakes the dispatcher, which puts it on the queue."""

    repository: TaskSubmissions
    nudge: Callable[[], None]

    async def __call__(self, task_id: TaskId) -> None:
        """Return when the release is committed, now or by an earlier call.

        Raises:
            TaskNotFound, TaskNotHeld, TaskEnded: as for `TaskSubmissions.enqueue`.
            DatabaseUnavailable: it is unknown whether the release was committed.
        """
        await self.repository.enqueue(task_id)
        self.nudge()


@dataclass(frozen=True, slots=True)
class RerunTask:
    """Submits the spec of a stored task again, as a new task with the same labels."""

    catalogue: TaskCatalogue
    submit: SubmitTask

    async def __call__(
        self,
        task_id: TaskId,
        *,
        correlation_id: CorrelationId,
        permit: Callable[[TaskSpec], None],
        seed: int | None = None,
        new_seed: bool = False,
        shots: int | None = None,
        trace_context: str | None = None,
        idempotency_key: IdempotencyKey | None = None,
        owner: Owner | None = None,
    ) -> Accepted:
        """Return once the new task is committed.

        It has the seed of the original, unless `seed` is given or `new_seed` requests a random one. `permit` is called
        with the new spec and raises an exception if it must not be submitted; the caller gets this exception.

        Raises:
            TaskNotFound: no task has this id.
            BacklogFull, QuotaExceeded, IdempotencyKeyReused, DatabaseUnavailable: as `SubmitTask` raises them.
        """
        # First, so that a repeated request gets the same response even when the original task was deleted meanwhile.
        if idempotency_key and (accepted := await self.catalogue.accepted_under(idempotency_key)):
            return accepted
        original = await self.catalogue.spec(task_id)
        options = original.options if seed is None and not new_seed else replace(original.options, seed=seed)
        # Neither the scheduled time nor the hold of the original applies: the new task is due at once.
        spec = replace(original, shots=shots or original.shots, options=options, scheduled_for=None, hold=False)
        permit(spec)
        again = Submission(
            task_id=self.submit.new_id(),
            spec=spec,
            correlation_id=correlation_id,
            trace_context=trace_context,
            idempotency_key=idempotency_key,
            rerun_of=task_id,
            owner=owner,
        )
        try:
            return await self.submit(again)
        except DeviceMismatch as error:
            # The content of its device is stored as long as the task.
            raise TaskNotFound(f"Task {task_id} was deleted meanwhile.") from error
