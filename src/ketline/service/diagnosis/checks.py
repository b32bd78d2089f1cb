"""Runs checks concurrently, each with a time limit, so that `ketline doctor` never hangs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from ketline.domain.errors import KetlineError
from ketline.domain.operations.diagnosis import Finding, problem

T = TypeVar("T")
Check = Callable[[], Awaitable[Sequence[Finding]]]


async def run_checks(checks: Mapping[str, Check], timeout_seconds: float) -> Sequence[Finding]:
    """Return the findings of all checks, in their order; a check that fails or exceeds its time limit is a finding too.

    Checks that exceed it are cancelled but not awaited, because they may block for ever.
    """
    tasks = {name: asyncio.create_task(_guarded(name, check)) for name, check in checks.items()}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=timeout_seconds)
    findings: list[Finding] = []
    for name, task in tasks.items():
        if task.done():
            findings += task.result()
        else:
            task.cancel()
            advice = "Look whether what it needs is reachable: the network, a disk, or a server that hangs."
            findings.append(problem(name, f"no result within {timeout_seconds:g} s", advice))
    return findings


async def in_thread(work: Callable[[], T]) -> T:
    """Run a function that may block for ever, for example on a network disk, in a thread that does not delay exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            _settle(loop, future, partial(future.set_exception, error))
        else:
            _settle(loop, future, partial(future.set_result, result))

    threading.Thread(target=run, daemon=True).start()
    return await future


def _settle(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]", settle: Callable[[], None]) -> None:
    def unless_cancelled() -> None:
        if not future.done():
            settle()

    if not loop.is_closed():
        loop.call_soon_threadsafe(unless_cancelled)


async def _guarded(name: str, check: Check) -> Sequence[Finding]:
    try:
        return await check()
    except KetlineError as error:
        return [problem(name, f"failed: {error.code}", str(error))]
    except Exception as error:
        # Without the message, which may have an address with a password in it.
        advice = "This is probably a defect of Ketline: report it with the version."
        return [problem(name, f"failed with {type(error).__name__}", advice)]
