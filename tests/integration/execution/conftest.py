"""Real simulator processes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
ENDLESS = "qubit q; bit c; while (c == false) { c = measure q; }"
LIMITS = ExecutionLimits(time_limit=timedelta(seconds=60), memory_bytes=256 << 20)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[ChildRunner]:
    """A runner that the tests of a module share; each leaves it good for the next."""
    runner = ChildRunner(LIMITS)
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return when the condition holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in other processes
            await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Whether there is no such process, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def child_pid(runner: ChildRunner) -> int:
    pid = runner.pid
    assert pid is not None
    return pid


def has_ended(pid: int) -> bool:
    """Gone, or a zombie: an orphan is reaped by process 1, which may take its time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def read_proc(runner: ChildRunner, name: str) -> str:
    return Path(f"/proc/{child_pid(runner)}/{name}").read_text()
