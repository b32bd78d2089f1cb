"""What a project used lately, as the service measured it, against what its tasks took: neither lost nor doubled."""

from collections.abc import Sequence

from tests.chaos.verdict.records import MeasuredShare, StoredTask
from tests.failpoints.trial import Promise, Trial

HALF_LIFE_SECONDS = 60.0
# Of a task that takes longer by far.
PRECISION_SECONDS = 0.6
# What a cancelled task took is not measured.
_MEASURED = ("completed", "failed")


async def settled_share(trial: Trial) -> MeasuredShare:
    """The share once everything that ended has been measured."""

    async def look() -> MeasuredShare | None:
        share, tasks = await trial.service.store.share(), await trial.service.store.tasks()
        return share if share is not None and _all_measured(share, tasks) else None

    return await trial.until(look, "a measurement of all that ended")


async def require_measured_once(trial: Trial, promise: Promise, before: MeasuredShare) -> None:
    """Fail unless the share has grown by what the task took, since `before`, and decayed."""
    after = await settled_share(trial)
    [task] = [task for task in await trial.service.store.tasks() if task.task_id == promise.task_id]
    passed = (after.measured_at - before.measured_at).total_seconds()
    expected = before.used_seconds * 0.5 ** (passed / HALF_LIFE_SECONDS) + _seconds_of(task)
    assert abs(after.used_seconds - expected) < PRECISION_SECONDS, (before, after, task)


def _all_measured(share: MeasuredShare, tasks: Sequence[StoredTask]) -> bool:
    ends = (task.completed_at for task in tasks if task.status in _MEASURED)
    return all(end is not None and end <= share.measured_at for end in ends)


def _seconds_of(task: StoredTask) -> float:
    """How long its last attempt took."""
    assert task.completed_at is not None
    return (task.completed_at - task.lines("processing")[-1].at).total_seconds()
