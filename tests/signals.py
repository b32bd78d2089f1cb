"""Sends signals to processes of asyncio without losing their exit status. Used by tests that kill processes."""

import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress

from tests.forking.client import ForkedProcess


def send_signal(process: Process | ForkedProcess, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended.

    `Process.send_signal` looks whether the process has ended, which takes its exit status away from the event loop; the
    loop then reports 255.
    """
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
