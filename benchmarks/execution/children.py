"""A part of the benchmark in a process of its own: it prints lines of JSON, then an empty one, and waits."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.processes import Account, Watch, end, start_module


def say(entries: Iterable[Mapping[str, Any]]) -> None:
    """The part's side."""
    for entry in entries:
        print(json.dumps(entry), flush=True)
    print(flush=True)
    sys.stdin.readline()


async def hear(
    module: str,
    *arguments: str,
    timeout_seconds: float,
    accounts: Mapping[str, Account] = MappingProxyType({}),
    on_entry: Callable[[Any], None] = lambda _: None,
) -> tuple[list[Any], float]:
    """What a part prints, and the share of the machine meanwhile that neither it nor `accounts` had.

    `on_entry` is called with each entry when it is printed.
    """
    process = await start_module(module, *arguments)
    assert process.stdout is not None
    entries = []
    try:
        watch = Watch.start({module: Account(process.pid), **accounts})
        async with asyncio.timeout(timeout_seconds):
            while line := (await process.stdout.readline()).strip():
                entries.append(json.loads(line))
                on_entry(entries[-1])
            if process.stdout.at_eof():
                raise RuntimeError(f"{module} ended early")
        return entries, watch.others_share()
    finally:
        await end(process)
