"""Whether the service slows down with what it has stored and with what waits: rates against those of an empty one."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from benchmarks.deployment import MODES, Opened
from benchmarks.figures import BacklogFigures, LoadRound, WorkRound
from benchmarks.listing_rows import fill_finished
from benchmarks.load import measure_rounds
from benchmarks.records import open_records
from benchmarks.site import SLOTS, open_servers
from benchmarks.work import put_waiting, work_off

# So many tasks in a round for each second that a round of load has; after a start of the worker a fifth is left out.
COUNTED_PER_SECOND = 200
SKIPPED_SHARE = 0.2
SLOWER_THAN_EXPECTED = 10


async def measure_backlog(mode: str, *, stored: int, waiting: int, rounds: int, seconds: float) -> BacklogFigures:
    """Load without and with `stored` finished tasks; distributed also work on few and on `waiting` waiting tasks."""
    fill = partial(fill_finished, count=stored)
    empty = await _load(MODES[mode], rounds=rounds, seconds=seconds)
    full = await _load(partial(MODES[mode], prepare=fill), rounds=rounds, seconds=seconds)
    few: Sequence[WorkRound] = []
    many: Sequence[WorkRound] = []
    if mode == "distributed":
        few, many = await _work(waiting, rounds=rounds, seconds=seconds)
    return BacklogFigures(
        mode=mode, stored=stored, waiting=waiting if many else 0, empty=empty, full=full, few=few, many=many
    )


async def _load(opened: Opened, *, rounds: int, seconds: float) -> Sequence[LoadRound]:
    async with opened() as deployment:
        return await measure_rounds(deployment, rounds=rounds, seconds=seconds)


async def _work(waiting: int, *, rounds: int, seconds: float) -> tuple[Sequence[WorkRound], Sequence[WorkRound]]:
    """Rounds of the same length, each after a start of the worker: on a queue of just so many tasks, and a long one."""
    counted = tasks_counted(waiting, rounds=rounds, seconds=seconds)
    skipped = max(1, round(SKIPPED_SHARE * counted))
    # By the time it is seen that those to be skipped are done, more of them are.
    few_waiting = skipped + counted + SLOTS + counted // 2
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_servers())
        await stack.enter_async_context(site.serving("api"))
        records = await stack.enter_async_context(open_records(site.database_url))

        async def work() -> WorkRound:
            worker = partial(site.ketline, "worker")
            longest = SLOWER_THAN_EXPECTED * seconds
            return await work_off(site, records, [worker], skipped=skipped, counted=counted, seconds=longest)

        few = []
        for _ in range(rounds):
            await put_waiting(site, records, few_waiting)
            few.append(await work())
        await put_waiting(site, records, waiting)
        many = [await work() for _ in range(rounds)]
    return few, many


def tasks_counted(waiting: int, *, rounds: int, seconds: float) -> int:
    """The tasks of a round: by its length, but so few that after all rounds half of `waiting` wait still."""
    return max(1, min(round(COUNTED_PER_SECOND * seconds), waiting // (4 * rounds)))
