"""Load on a running service: many clients at once, and one task after the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import cycle, islice

from benchmarks.connection import Connection, connect
from benchmarks.deployment import Deployment
from benchmarks.figures import LoadRound, ServiceFigures, Spread
from benchmarks.processes import Watch
from benchmarks.programs import BELL, SHOTS
from benchmarks.records import Record, Records, open_records, stage_spreads

CLIENTS = 16
WARM_UP_TASKS = 100
PROGRESS_SECONDS = 0.2
MAX_TASKS_PER_ROUND = 50_000
# A round may take this many times as long to finish what it submitted as to submit it, and then some.
DRAIN_FACTOR, DRAIN_SECONDS = 10, 60.0


async def measure_service(
    deployment: Deployment, *, rounds: int, seconds: float, sequential_tasks: int
) -> ServiceFigures:
    """Measure one deployment: the idle system first, then `rounds` of load."""
    async with open_records(deployment.database_url) as records:
        async with _clients(deployment) as clients:
            await _warm_up(clients)
            idle_since, latencies = await _run_sequentially(clients[0], sequential_tasks)
        idle = await records.completed(idle_since)
        measured = [await load_round(deployment, records, seconds) for _ in range(rounds)]
    return ServiceFigures(
        mode=deployment.mode,
        rounds=[entry for entry, _ in measured],
        latency=Spread.of(latencies),
        recorded=Spread.of([record.seconds for record in idle]),
        idle_stages=stage_spreads(idle),
        load_stages=stage_spreads(measured[-1][1]),
    )


async def measure_rounds(
    deployment: Deployment, *, rounds: int, seconds: float, texts: Sequence[str] = (BELL,)
) -> list[LoadRound]:
    """So many rounds of load on one deployment, once it is warm."""
    async with open_records(deployment.database_url) as records:
        async with _clients(deployment) as clients:
            await _warm_up(clients)
        return [(await load_round(deployment, records, seconds, texts))[0] for _ in range(rounds)]


async def _warm_up(clients: Sequence[Connection]) -> None:
    await asyncio.gather(*(_run_sequentially(client, WARM_UP_TASKS // CLIENTS) for client in clients))


@asynccontextmanager
async def _clients(deployment: Deployment) -> AsyncIterator[Sequence[Connection]]:
    # Opened for each use: the server closes a connection that is idle for five seconds.
    async with AsyncExitStack() as stack:
        keys = islice(cycle(deployment.keys or [None]), CLIENTS)
        yield [await stack.enter_async_context(connect(deployment.port, key)) for key in keys]


async def _run_sequentially(client: Connection, count: int) -> tuple[datetime, list[float]]:
    """When the first task was submitted, and for each how long it took until this client saw it completed."""
    submitted_at: list[str] = []
    latencies: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        task = await client.run(BELL, SHOTS)
        latencies.append(time.perf_counter() - started)
        if task["status"] != "completed":
            raise RuntimeError(f"task {task['task_id']} ended as {task['status']}")
        submitted_at.append(task["submitted_at"])
    return datetime.fromisoformat(submitted_at[0]), latencies


async def load_round(
    deployment: Deployment, records: Records, seconds: float, texts: Sequence[str] = (BELL,)
) -> tuple[LoadRound, Sequence[Record]]:
    """Submit the programs in turns for so long and wait until all have ended.

    Gives the round and its completed tasks.
    """
    waiting = cycle(texts)
    watch = Watch.start(deployment.accounts)
    async with _clients(deployment) as clients:
        started = time.monotonic()
        submitted = await asyncio.gather(*(_submit_until(client, waiting, started + seconds) for client in clients))
        submit_seconds = time.monotonic() - started
    unfinished = await _drain(records, time.monotonic() + DRAIN_FACTOR * seconds + DRAIN_SECONDS)
    used, others = watch.used_seconds(), watch.others_share()
    done = await records.completed(min(datetime.fromisoformat(first) for first in submitted))
    first, last = min(record.submitted_at for record in done), max(record.completed_at for record in done)
    entry = LoadRound(
        tasks=len(done),
        unfinished=unfinished,
        seconds=(last - first).total_seconds(),
        submit_seconds=submit_seconds,
        cpu_ms={name: 1000 * spent / len(done) for name, spent in used.items()},
        others=others,
    )
    return entry, done


async def _submit_until(client: Connection, texts: Iterator[str], deadline: float) -> str:
    """Submit one task after the other; gives when the first was."""
    first: str = (await client.submit(next(texts), SHOTS))["submitted_at"]
    for _ in range(MAX_TASKS_PER_ROUND // CLIENTS - 1):
        if time.monotonic() >= deadline:
            break
        await client.submit(next(texts), SHOTS)
    return first


async def _drain(records: Records, deadline: float) -> int:
    """Wait until every task is finished; gives how many are not when the time is up."""
    while (unfinished := await records.unfinished()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(PROGRESS_SECONDS)
    return unfinished
