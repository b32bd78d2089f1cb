"""The naive design on the same servers: Celery, and everything that a task needs made anew for each task."""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from importlib.util import find_spec

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from benchmarks.figures import LoadRound
from benchmarks.processes import Account, Watch, read_line, say_line
from benchmarks.site import open_servers
from ketline.config import available_cores

MISSING = "the part naive needs Celery: bash .ci/uv run --group benchmarks python -m benchmarks"
WARM_UP_TASKS = 20
SUBMIT_SECONDS = 60.0
# A naive task takes a tenth of a second of a core.
SECONDS_A_TASK, GRACE_SECONDS = 1.0, 60.0
POLL_SECONDS = 0.2

_TABLE = "SELECT to_regclass('celery_taskmeta') IS NOT NULL"
# The result backend's times are in UTC, without saying so.
_DONE = """
SELECT count(*), coalesce(extract(epoch FROM max(date_done) AT TIME ZONE 'UTC'), 0)
FROM celery_taskmeta WHERE status = 'SUCCESS'"""


def is_available() -> bool:
    """Whether Celery is installed."""
    return find_spec("celery") is not None


async def measure_naive(*, rounds: int, tasks: int) -> Sequence[LoadRound]:
    """Rounds of so many Bell tasks, submitted by one client straight to the broker, after some that do not count."""
    async with open_servers() as site:
        database = create_async_engine(site.database_url, isolation_level="AUTOCOMMIT")
        application = ("--app", "benchmarks.naive_tasks", "--quiet")
        options = ("--pool", "prefork", "--concurrency", str(available_cores()), "--loglevel", "WARNING")
        async with (
            site.module("celery", *application, "worker", *options) as worker,
            site.module("benchmarks.naive_tasks") as client,
            database.connect() as connection,
        ):
            await _round(connection, client, WARM_UP_TASKS, Watch.start({}))
            accounts = {"worker": Account(worker.pid), "load generator": Account(client.pid), **site.accounts}
            measured = [await _round(connection, client, tasks, Watch.start(accounts)) for _ in range(rounds)]
        await database.dispose()
    return measured


async def _round(connection: AsyncConnection, client: Process, tasks: int, watch: Watch) -> LoadRound:
    before, _ = await _done(connection)
    say_line(client, str(tasks))
    first = float(await read_line(client, SUBMIT_SECONDS))
    submitted = time.time()
    count, last = await _wait_until_done(connection, before + tasks, SECONDS_A_TASK * tasks + GRACE_SECONDS)
    done = count - before
    if not done:
        raise RuntimeError(f"none of {tasks} Celery tasks ended")
    used, others = watch.used_seconds(), watch.others_share()
    return LoadRound(
        tasks=done,
        unfinished=tasks - done,
        seconds=last - first,
        submit_seconds=submitted - first,
        cpu_ms={name: 1000 * spent / done for name, spent in used.items()},
        others=others,
    )


async def _wait_until_done(connection: AsyncConnection, count: int, longest_seconds: float) -> tuple[int, float]:
    """As `_done`, when so many tasks are done or the time is up."""
    deadline = time.monotonic() + longest_seconds
    done = await _done(connection)
    while done[0] < count and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        done = await _done(connection)
    return done


async def _done(connection: AsyncConnection) -> tuple[int, float]:
    """How many tasks have ended well, and when the last of them did, in seconds since the epoch."""
    if not (await connection.execute(text(_TABLE))).scalar_one():
        return 0, 0.0
    count, last = (await connection.execute(text(_DONE))).one()
    return int(count), float(last)
