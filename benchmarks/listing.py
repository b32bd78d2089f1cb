"""How long pages of lists take among a million tasks: `python -m benchmarks.listing`.

It fills a database of its own, a PostgreSQL server started for this and a SQLite file, and asks the catalogue for pages
as the API does, half of them from a random place of the list. HTTP comes on top.
"""

import argparse
import asyncio
import gc
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.listing_rows import DAYS, INDEXES, fill
from ketline.db.engine.database import open_database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.schema.migrate import migrate
from ketline.domain.failures import FailureCode
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.lists import Order, Position, TaskFilter, TaskPart, TaskQuery
from tests.servers import PostgresServer

_NOW = datetime.now(UTC)
_OLD = TaskFilter(completed_after=_NOW - timedelta(days=20), completed_before=_NOW - timedelta(days=19))

QUERIES: Mapping[str, TaskQuery] = {
    "no filter": TaskQuery(),
    "oldest first": TaskQuery(order=Order.OLDEST_FIRST),
    "last ended first": TaskQuery(order=Order.LAST_ENDED_FIRST),
    "200 tasks, with metadata and profile": TaskQuery(
        limit=200, parts=frozenset({TaskPart.METADATA, TaskPart.PROFILE})
    ),
    "with results, history and programs": TaskQuery(
        parts=frozenset({TaskPart.RESULT, TaskPart.HISTORY, TaskPart.CIRCUIT})
    ),
    **{
        f"status {status}": TaskQuery(which=TaskFilter(statuses=[status]))
        for status in (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.PENDING, TaskStatus.PROCESSING)
    },
    "three statuses, last ended first": TaskQuery(
        which=TaskFilter(statuses=[TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.COMPLETED]),
        order=Order.LAST_ENDED_FIRST,
    ),
    "tag of half the tasks": TaskQuery(which=TaskFilter(tags=["common"])),
    "tag of one task in 1,000": TaskQuery(which=TaskFilter(tags=["group-7"])),
    "tag of the oldest tenth": TaskQuery(which=TaskFilter(tags=["old"])),
    "two tags, of halves": TaskQuery(which=TaskFilter(tags=["common", "third"])),
    "two tags that exclude each other": TaskQuery(which=TaskFilter(tags=["common", "odd"])),
    "tag of half, last ended first": TaskQuery(which=TaskFilter(tags=["common"]), order=Order.LAST_ENDED_FIRST),
    "rare tag, last ended first": TaskQuery(which=TaskFilter(tags=["group-7"]), order=Order.LAST_ENDED_FIRST),
    "name": TaskQuery(which=TaskFilter(name="run-77")),
    "prefix of few names": TaskQuery(which=TaskFilter(name_prefix="run-77")),
    "prefix of all names": TaskQuery(which=TaskFilter(name_prefix="run")),
    "a worker of long ago": TaskQuery(which=TaskFilter(worker_id=WorkerId("w-2"))),
    "that worker's failures": TaskQuery(which=TaskFilter(worker_id=WorkerId("w-2"), statuses=[TaskStatus.FAILED])),
    "error code": TaskQuery(which=TaskFilter(error_code=FailureCode.TIMEOUT)),
    "submitted on one day": TaskQuery(
        which=TaskFilter(submitted_after=_NOW - timedelta(days=9), submitted_before=_NOW - timedelta(days=8))
    ),
    "ended on one day, newest first": TaskQuery(which=_OLD),
    "failed that day, with a tag": TaskQuery(
        which=replace(_OLD, tags=["common"], statuses=[TaskStatus.FAILED]), order=Order.FIRST_ENDED_FIRST
    ),
    "everything at once": TaskQuery(
        which=replace(_OLD, tags=["common", "third"], name_prefix="run", worker_id=WorkerId("w-6"))
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=100, help="asked for with each filter (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on", choices=["postgresql", "sqlite"], help="one database only")
    options = parser.parse_args()
    gc.collect()
    gc.freeze()  # as an API process does
    for name, opened in (("postgresql", _postgresql), ("sqlite", _sqlite)):
        if options.on in {None, name}:
            asyncio.run(_measure(name, opened, options))


@asynccontextmanager
async def _postgresql() -> AsyncIterator[str]:
    async with PostgresServer() as server:
        await server.create_database("listing")
        await migrate(server.url("listing"))
        yield server.url("listing")


@asynccontextmanager
async def _sqlite() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite+aiosqlite:///{Path(directory) / 'ketline.db'}"
        await migrate(url)
        yield url


async def _measure(
    name: str, opened: Callable[[], AbstractAsyncContextManager[str]], options: argparse.Namespace
) -> None:
    chance = random.Random(options.seed)
    async with opened() as url:
        began = time.perf_counter()
        await fill(url, options.tasks)
        print(f"\n{name}: {options.tasks:,} tasks stored in {time.perf_counter() - began:.0f} s\n", flush=True)
        print("| list | tasks on a page | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|")
        async with open_database(url) as database:
            catalogue = SqlTaskCatalogue(database)
            for title, query in QUERIES.items():
                found, seconds = await _pages(catalogue, query, options.pages, chance)
                print(f"| {title} | {found / options.pages:.0f} | {_spread(seconds)} |", flush=True)
            seconds = [await _timed(catalogue.summarize) for _ in range(10)]
            print(f"| statistics, uncached | | {_spread(seconds)} |", flush=True)
        print(flush=True)
        for line in await _sizes(url):
            print(line)


async def _pages(
    catalogue: SqlTaskCatalogue, query: TaskQuery, pages: int, chance: random.Random
) -> tuple[int, Sequence[float]]:
    """Follows the list, but goes to a random place of it every other time."""
    found, seconds, following = 0, [], None
    for number in range(pages):
        if number % 2:
            at = _NOW - timedelta(days=DAYS * chance.random())
            following = Position(at=at, task_id=TaskId(UUID(int=chance.getrandbits(128))))
        began = time.perf_counter()
        page = await catalogue.find(replace(query, after=following))
        seconds.append(time.perf_counter() - began)
        found, following = found + len(page.tasks), page.next
    return found, seconds


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(1000 * second for second in seconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"{ordered[len(ordered) // 2]:.1f} | {p99:.1f} | {ordered[-1]:.1f}"


async def _sizes(url: str) -> Sequence[str]:
    """What each index takes, where the database can say so."""
    if url.startswith("sqlite"):
        return []

    def work(connection: Connection) -> Sequence[str]:
        return [f"{name}: {size / 2**20:.0f} MiB" for name, size in connection.execute(text(INDEXES))]

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        sizes = await connection.run_sync(work)
    await engine.dispose()
    return sizes


if __name__ == "__main__":
    main()
