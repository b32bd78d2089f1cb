"""How soon those who wait hear of a task's end, and what thousands of them cost: `python -m benchmarks.waiting`."""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from sqlalchemy import make_url

from benchmarks.connection import Connection, connect
from benchmarks.deployment import Deployment, open_distributed, open_embedded
from benchmarks.figures import Spread
from benchmarks.programs import BELL, SHOTS

# Tasks that nobody runs or publishes before tomorrow.
_LATER = """
INSERT INTO tasks (task_id, circuit, shots, submitted_at, current_status, correlation_id, max_attempts, available_at,
                   dispatch_due_at)
SELECT gen_random_uuid(), 'none', 1, now(), 'pending', 'crowd', 1, now() + interval '1 day', now() + interval '1 day'
FROM generate_series(1, $1) RETURNING task_id"""
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
# While they ask for the first time there are hundreds.
STILL_COMING_PER_SECOND = 60
SETTLE_SECONDS = 120.0
CROWD_SECONDS = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--tasks", type=int, default=300, help="tasks to wait for one after the other (%(default)s)")
    parser.add_argument("--waiters", type=int, default=2000, help="clients that wait meanwhile (%(default)s)")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure(options.tasks, options.waiters))


async def _measure(count: int, waiters: int) -> None:
    print("| mode | others waiting | tasks | commit to answer, ms: p50 | p99 | max |\n|---|---|---|---|---|---|")
    async with open_embedded() as deployment:
        _show("embedded", 0, await _delays(deployment, count))
    async with open_distributed() as deployment:
        _show("distributed", 0, await _delays(deployment, count))
        before = _resident_megabytes(deployment.accounts["api"].root)
        async with AsyncExitStack() as stack:
            crowd = await _crowd(stack, deployment, waiters)
            idle = await _commits_a_second(deployment, CROWD_SECONDS)
            _show("distributed", waiters, await _delays(deployment, count))
            after = _resident_megabytes(deployment.accounts["api"].root)
            left = sum(task.done() for task in crowd)
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
    print(f"\nThe API process: {before:.0f} MB before, {after:.0f} MB with {waiters} waiting clients ({left} gave up).")
    print(f"Commits and queries of the whole database while only they wait: {idle:.1f} a second.")


async def _delays(deployment: Deployment, count: int) -> Spread:
    """From the commit that ended a task, on the database's clock, to its answer in the client's hands."""
    delays: list[float] = []
    async with connect(deployment.port) as client:
        for _ in range(count):
            task = await client.run(BELL, SHOTS)
            delays.append((datetime.now(UTC) - datetime.fromisoformat(task["completed_at"])).total_seconds())
    return Spread.of(delays)


async def _crowd(stack: AsyncExitStack, deployment: Deployment, waiters: int) -> Sequence[asyncio.Task[Any]]:
    """Clients that wait, each on a connection of its own, for tasks that nobody will run."""
    clients = [await stack.enter_async_context(connect(deployment.port)) for _ in range(waiters)]
    ids = [str(row["task_id"]) for row in await _execute(deployment, _LATER, waiters)]
    crowd = [asyncio.create_task(_wait(client, task_id)) for client, task_id in zip(clients, ids, strict=True)]
    async with asyncio.timeout(SETTLE_SECONDS):
        while await _commits_a_second(deployment, 1.0) > STILL_COMING_PER_SECOND:
            pass
    return crowd


async def _wait(client: Connection, task_id: str) -> None:
    while True:
        await client.read(f"/tasks/{task_id}?wait=60")


async def _commits_a_second(deployment: Deployment, seconds: float) -> float:
    started, (before,) = time.monotonic(), await _execute(deployment, _COMMITS)
    await asyncio.sleep(seconds)
    (after,) = await _execute(deployment, _COMMITS)
    return float((after[0] - before[0]) / (time.monotonic() - started))


async def _execute(deployment: Deployment, statement: str, *values: object) -> Sequence[Any]:
    url = make_url(deployment.database_url).set(drivername="postgresql")
    connection: Any = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        rows: Sequence[Any] = await connection.fetch(statement, *values)
    finally:
        await connection.close()
    return rows


def _resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(resident) / 1024


def _show(mode: str, others: int, spread: Spread) -> None:
    row = (mode, others, spread.samples, f"{spread.p50_ms:.1f}", f"{spread.p99_ms:.1f}", f"{spread.max_ms:.1f}")
    print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
