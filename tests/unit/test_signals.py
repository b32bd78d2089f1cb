"""A signal to a process that has just ended leaves its exit status to who waits for it."""

import asyncio
import os
import signal
import sys
from contextlib import suppress

from tests.signals import send_signal


async def test_signal_to_a_process_that_has_ended_leaves_its_exit_status() -> None:
    for _ in range(20):
        process = await asyncio.create_subprocess_exec(sys.executable, "-ISc", "raise SystemExit(3)")
        _wait_without_the_loop(process.pid)
        send_signal(process, signal.SIGTERM)
        assert await process.wait() == 3


def _wait_without_the_loop(pid: int) -> None:
    """Return when a process has ended; the event loop cannot have told of its exit status then."""
    with suppress(ChildProcessError):  # the loop's watcher was faster
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
