"""What a project used lately, as the service measured it, against what its tasks took: neither lost nor doubled."""

from collections.abc import Sequence

from tests.chaos.testbed.store import DATABASE_DOWN
from tests.chaos.verdict.records import MeasuredShare, StoredTask
from tests.failpoints.trial import ENDED, Promise, Trial

HALF_LIFE_SECONDS = 60.0
# Of a task that takes longer by far.
PRECISION_SECONDS = 0.6
# What a cancelled task took is not measured.
_MEASURED = ("completed", "failed")


async def settled_share(trial: Trial) -> MeasuredShare:
    """The share once everything that ended has been measured."""

    return await trial.until(lambda: _share_if_settled(trial), "a measurement of all that ended")


async def struck_or_measured(trial: Trial, promise: Promise) -> None:
    """Wait for the strike, or for a measurement that found the task too late to pass the point on its way."""

    async def look() -> bool:
        task = await trial.view(promise)
        ended = task is not None and task["status"] in ENDED
        return trial.struck is not None or (ended and await _share_if_settled(trial) is not None)

    await trial.until(look, f"a strike at {trial.case.point}, or a measurement")


async def require_measured_once(trial: Trial, promise: Promise, before: MeasuredShare) -> None:
    """Fail unless the share has grown by what the task took, since `before`, and decayed."""
    settled = await settled_share(trial)

    async def look() -> MeasuredShare | None:
        share = await _share_if_settled(trial)
        return share if share is not None and share.measured_at > settled.measured_at else None

    after = await trial.until(look, "one more measurement, which could count the task again")
    [task] = [task for task in await trial.service.store.tasks() if task.task_id == promise.task_id]
    passed = (after.measured_at - before.measured_at).total_seconds()
    expected = before.used_seconds * 0.5 ** (passed / HALF_LIFE_SECONDS) + _seconds_of(task)
    assert abs(after.used_seconds - expected) < PRECISION_SECONDS, (before, after, task)


async def _share_if_settled(trial: Trial) -> MeasuredShare | None:
    try:
        share, tasks = await trial.service.store.share(), await trial.service.store.tasks()
    except DATABASE_DOWN:  # the embedded service may not have made its file yet
        return None
    return share if share is not None and _all_measured(share, tasks) else None


def _all_measured(share: MeasuredShare, tasks: Sequence[StoredTask]) -> bool:
    ends = (task.completed_at for task in tasks if task.status in _MEASURED)
    return all(end is not None and end <= share.measured_at for end in ends)


def _seconds_of(task: StoredTask) -> float:
    """How long its last attempt took."""
    assert task.completed_at is not None
    return (task.completed_at - task.lines("processing")[-1].at).total_seconds()
