"""How much faster waiting work is done by more worker processes: tasks that cost nothing but time."""

from contextlib import AsyncExitStack
from functools import partial

from benchmarks.figures import ScalingFigures, WorkRound
from benchmarks.records import Records, open_records
from benchmarks.site import SLOTS, Site, open_servers
from benchmarks.work import put_waiting, work_off

WORKERS = (1, 2, 3, 4)
# The tasks that each slot does before those that count.
WARM_UP_TASKS = 4
SLOWER_THAN_EXPECTED = 3
# Those that start first have work while they wait for the last.
START_SECONDS = 20.0


async def measure_scaling(*, task_seconds: float, seconds: float) -> ScalingFigures:
    """Rounds of about `seconds` with one worker after the other more, each with simulators that sleep."""
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_servers())
        await stack.enter_async_context(site.serving("api"))
        records = await stack.enter_async_context(open_records(site.database_url))
        rounds = [await _round(site, records, workers, task_seconds, seconds) for workers in WORKERS]
    return ScalingFigures(task_seconds=task_seconds, slots=SLOTS, rounds=rounds)


async def _round(site: Site, records: Records, workers: int, task_seconds: float, seconds: float) -> WorkRound:
    worker = partial(site.module, "benchmarks.sleeping", "worker", str(task_seconds))
    # Whole tasks of every slot, so that slots in step count as those out of step do.
    slots = workers * SLOTS
    skipped, counted = slots * WARM_UP_TASKS, slots * max(1, round(seconds / task_seconds))
    await put_waiting(site, records, skipped + counted + round(slots * START_SECONDS / task_seconds))
    longest = SLOWER_THAN_EXPECTED * (seconds + WARM_UP_TASKS * task_seconds)
    return await work_off(site, records, [worker] * workers, skipped=skipped, counted=counted, seconds=longest)
