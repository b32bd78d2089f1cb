"""A part of the benchmark in a process of its own: it prints lines of JSON, then an empty one, and waits."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.processes import Account, Watch, end, start_module


def say(entries: Iterable[Mapping[str, Any]]) -> None:
    """The part's side."""
    for entry in entries:
        print(json.dumps(entry), flush=True)
    print(flush=True)
    sys.stdin.readline()


async def hear(module: str, *arguments: str, timeout_seconds: float) -> tuple[list[Any], float]:
    """What a part prints, and the share of the machine that others had meanwhile."""
    process = await start_module(module, *arguments)
    assert process.stdout is not None
    entries = []
    try:
        watch = Watch.start({module: Account(process.pid)})
        async with asyncio.timeout(timeout_seconds):
            while line := (await process.stdout.readline()).strip():
                entries.append(json.loads(line))
            if process.stdout.at_eof():
                raise RuntimeError(f"{module} ended early")
        return entries, watch.others_share()
    finally:
        await end(process)
