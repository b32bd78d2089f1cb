"""The nursery, seen from the tests: order a process, and learn of its end."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Life:
    """A process born in the nursery; `ended` is set once it has been reaped."""

    pid: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Nursery:
    """Orders are answered one after another; deaths are heard of in between."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lives: dict[int, Life] = {}
        self._born: asyncio.Queue[Life] = asyncio.Queue()
        self._ordering = asyncio.Lock()

    async def bear(self, directory: Path, arguments: tuple[str, ...], environment: Mapping[str, str], log: str) -> Life:
        """Start `ketline` with these arguments and failpoints; its working directory takes the log."""
        order = {
            "directory": str(directory),
            "arguments": arguments,
            "environment": dict(environment),
            "output": str(directory / log),
        }
        async with self._ordering:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
            return await self._born.get()

    async def listen(self) -> None:
        """Take in reports until the nursery ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            fact = json.loads(line)
            if "born" in fact:
                life = self._lives[fact["born"]] = Life(fact["born"])
                self._born.put_nowait(life)
            else:
                self._lives.pop(fact["died"]).ended.set()


@asynccontextmanager
async def open_nursery() -> AsyncIterator[Nursery]:
    """A nursery whose processes end with the context at the latest."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.failpoints.nursery"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    nursery = Nursery(process)
    listening = asyncio.create_task(nursery.listen())
    try:
        yield nursery
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await listening
        await process.wait()
