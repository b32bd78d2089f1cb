"""Change stored tasks, and run their programs again."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ketline.domain.lists import Changeable, TaskChange
from ketline.domain.spec import TaskSpec
from ketline.domain.task import Accepted, CorrelationId, IdempotencyKey, Submission, TaskId
from ketline.ports.catalogue import TaskCatalogue
from ketline.service.tasks.submission import SubmitTask


@dataclass(frozen=True, slots=True)
class ChangeTask:
    """Changes a task; `nudge` wakes the dispatcher for one that is to be run at once."""

    catalogue: TaskCatalogue
    nudge: Callable[[], None]

    async def __call__(self, task_id: TaskId, change: TaskChange) -> None:
        """Return when the change is committed.

        Raises:
            TaskNotFound: no task has this id.
            TaskNotPending: the schedule or the priority was to be changed, and the task has been started or has ended.
            DatabaseUnavailable: the change is not known to be committed.
        """
        await self.catalogue.change(task_id, change)
        if Changeable.SCHEDULED_FOR in change.fields:
            self.nudge()


@dataclass(frozen=True, slots=True)
class RerunTask:
    """Submits the program of a stored task once more, as it was submitted and under the same labels."""

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
    ) -> Accepted:
        """Return once the new task is committed; it has the old seed unless one is given, or a new one is asked for.

        `permit` is called with what is to be submitted, and what it raises is raised.

        Raises:
            TaskNotFound: no task has this id.
            BacklogFull, IdempotencyKeyReused, DatabaseUnavailable: as for a submission.
        """
        # First, so that what was accepted once is given again even when the original is gone.
        if idempotency_key and (accepted := await self.catalogue.accepted_under(idempotency_key)):
            return accepted
        original = await self.catalogue.spec(task_id)
        options = original.options if seed is None and not new_seed else replace(original.options, seed=seed)
        # Its time has come long ago: the new task runs at once.
        spec = replace(original, shots=shots or original.shots, options=options, scheduled_for=None)
        permit(spec)
        return await self.submit(
            Submission(
                task_id=self.submit.new_id(),
                spec=spec,
                correlation_id=correlation_id,
                trace_context=trace_context,
                idempotency_key=idempotency_key,
                rerun_of=task_id,
            )
        )
