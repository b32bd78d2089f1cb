"""The rate of tasks while many clients each follow all tasks, beside the rate without them."""

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from benchmarks.deployment import Deployment
from benchmarks.figures import READER, LoadRound, StreamsFigures, StreamTotals
from benchmarks.load import measure_rounds
from benchmarks.processes import Account, end, read_line, say_line, start_module

ANSWER_SECONDS = 120.0
# Longer than the service collects events before it sends them.
QUIET_SECONDS = 2.0


async def measure_streams(deployment: Deployment, *, streams: int, rounds: int, seconds: float) -> StreamsFigures:
    """Rounds of load without streams and with so many of all tasks, in turns; one process reads them all.

    Raises:
        RuntimeError: the service ended a stream.
    """
    without: list[LoadRound] = []
    followed: list[LoadRound] = []
    totals: list[StreamTotals] = []
    for _ in range(rounds):
        without += await measure_rounds(deployment, rounds=1, seconds=seconds)
        async with _reading(deployment.port, streams) as reader:
            accounts = {**deployment.accounts, READER: Account(reader.pid)}
            followed += await measure_rounds(replace(deployment, accounts=accounts), rounds=1, seconds=seconds)
            totals.append(await _totals(reader))
            if totals[-1].open < streams:
                raise RuntimeError(f"{streams - totals[-1].open} of {streams} streams were ended by the service")
    return StreamsFigures(mode=deployment.mode, streams=streams, without=without, followed=followed, totals=totals)


@asynccontextmanager
async def _reading(port: int, streams: int) -> AsyncIterator[Process]:
    process = await start_module("benchmarks.stream_reader", str(port), str(streams))
    try:
        await read_line(process, ANSWER_SECONDS)
        yield process
    finally:
        await end(process)


async def _totals(reader: Process) -> StreamTotals:
    """What the reader has received, once nothing more arrives."""
    found = await _ask(reader)
    while True:
        await asyncio.sleep(QUIET_SECONDS)
        before, found = found, await _ask(reader)
        if found.events == before.events:
            return found


async def _ask(reader: Process) -> StreamTotals:
    say_line(reader, "tell")
    return StreamTotals(**json.loads(await read_line(reader, ANSWER_SECONDS)))
