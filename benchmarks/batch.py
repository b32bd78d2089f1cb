"""What a task costs to submit alone and in a batch: `python -m benchmarks.batch`."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import uvloop

from benchmarks.connection import Connection, connect
from benchmarks.deployment import Deployment, open_distributed, open_embedded
from benchmarks.programs import BELL, SHOTS
from benchmarks.records import Records, open_records

CLIENTS = 16
DRAIN_SECONDS = 300.0
PROGRESS_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000, help="tasks submitted in each way (%(default)s)")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_measure(options.tasks))


async def _measure(count: int) -> None:
    print("| mode | one after the other | 16 clients | one batch | times faster than one after the other | than 16 |")
    print("|---|---|---|---|---|---|")
    for mode, opened in (("embedded", open_embedded), ("distributed", open_distributed)):
        alone, together, batch = await _submit_in_each_way(opened, count)
        cells = [f"{1000 * seconds / count:.2f} ms" for seconds in (alone, together, batch)]
        print(f"| {mode} | {' | '.join(cells)} | {alone / batch:.1f} | {together / batch:.1f} |", flush=True)


async def _submit_in_each_way(
    opened: Callable[[], AbstractAsyncContextManager[Deployment]], count: int
) -> tuple[float, float, float]:
    """Seconds from the first request to the last answer; nothing else is under way at the beginning of each."""
    async with AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(opened())
        records = await stack.enter_async_context(open_records(deployment.database_url))

        async def timed(work: Callable[[list[Connection]], Awaitable[object]]) -> float:
            await _drained(records)
            async with AsyncExitStack() as connections:
                clients = [await connections.enter_async_context(connect(deployment.port)) for _ in range(CLIENTS)]
                started = time.perf_counter()
                await work(clients)
                return time.perf_counter() - started

        await timed(lambda clients: _submit(clients[0], CLIENTS))
        alone = await timed(lambda clients: _submit(clients[0], count))
        together = await timed(lambda clients: asyncio.gather(*(_submit(one, count // CLIENTS) for one in clients)))
        batch = await timed(lambda clients: clients[0].submit_batch(BELL, SHOTS, count))
    return alone, together, batch


async def _submit(client: Connection, count: int) -> None:
    for _ in range(count):
        await client.submit(BELL, SHOTS)


async def _drained(records: Records) -> None:
    async with asyncio.timeout(DRAIN_SECONDS):
        while await records.unfinished():  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(PROGRESS_SECONDS)


if __name__ == "__main__":
    main()
