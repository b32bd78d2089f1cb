"""Waiting tasks, and how fast workers that are started for them work them off."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.figures import WorkRound
from benchmarks.processes import Account, Watch
from benchmarks.programs import BELL, SHOTS
from benchmarks.records import Records
from benchmarks.site import Site
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat

# As if so many had been submitted one after the other just now, and none of them put on the queue yet.
_TASKS = """
INSERT INTO tasks (task_id, circuit, shots, submitted_at, current_status, correlation_id, max_attempts, rank_at,
                   available_at, dispatch_due_at, method, memory, program_format)
SELECT gen_random_uuid(), :program, :shots, at, 'pending', 'backlog', 4, at, at, at, :method, false, :format
FROM (SELECT clock_timestamp() AS at FROM generate_series(1, :count)) AS times"""
_BELL = {
    "program": BELL,
    "shots": SHOTS,
    "method": Method.AUTOMATIC.value,
    "format": ProgramFormat.OPENQASM3.value,
}
_HISTORY = """
INSERT INTO status_history (task_id, status, transitioned_at, notes)
SELECT task_id, 'pending', submitted_at, 'Task created and queued' FROM tasks
WHERE current_status = 'pending' AND dispatch_count = 0"""
POLL_SECONDS = 0.2
# What a round may take beyond what it is expected to: workers have to start.
DISPATCHED_A_SECOND, GRACE_SECONDS = 100, 120.0

Worker = Callable[[], AbstractAsyncContextManager[Process]]


async def store_waiting(url: str, count: int) -> None:
    """Store `count` Bell tasks that are due to be put on the queue."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(_TASKS), _BELL | {"count": count})
        await connection.execute(text(_HISTORY))
        # As autovacuum does within a minute.
        await connection.execute(text("ANALYZE"))
    await engine.dispose()


async def put_waiting(site: Site, records: Records, count: int) -> None:
    """Store `count` Bell tasks, and return when the API that runs has put each of them on the queue."""
    await store_waiting(site.database_url, count)
    async with asyncio.timeout(count / DISPATCHED_A_SECOND + GRACE_SECONDS):
        while await records.undispatched():  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(POLL_SECONDS)


async def work_off(
    site: Site, records: Records, workers: Sequence[Worker], *, skipped: int, counted: int, seconds: float
) -> WorkRound:
    """Start the workers and time `counted` completions after the first `skipped`, or more, until all workers work.

    Raises:
        TimeoutError: they take much longer than `seconds`.
    """
    since = await records.clock()
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(worker()) for worker in workers]
        accounts = {str(process.pid): Account(process.pid) for process in started}
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            before = len(await _completed(records, since, skipped, workers=len(workers)))
            watch = Watch.start({**site.accounts, **accounts})
            times = await _completed(records, since, before + counted)
        used, others = watch.used_seconds(), watch.others_share()
    return WorkRound(
        workers=len(workers),
        tasks=counted,
        seconds=time_taken(times, skipped=before, counted=counted).total_seconds(),
        cpu_ms=1000 * sum(used.values()) / (len(times) - before),
        others=others,
    )


async def _completed(records: Records, since: datetime, count: int, *, workers: int = 1) -> Sequence[datetime]:
    """When tasks were completed, once there are so many, by so many workers."""
    times = await records.completions(since)
    while len(times) < count or await records.workers(since) < workers:
        await asyncio.sleep(POLL_SECONDS)
        times = await records.completions(since)
    return times


def time_taken(times: Sequence[datetime], *, skipped: int, counted: int) -> timedelta:
    """From the last skipped completion to the last counted one, of at least one skipped; `times` are in order."""
    return times[skipped + counted - 1] - times[skipped - 1]
