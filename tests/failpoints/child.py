# ruff: noqa: E402
"""The simulator process with failpoints: `python -m tests.failpoints.child DIRECTORY FD PARENT LIMITS`."""

import gc

# As in `ketline.simulator`; `child/main.py` turns the collector on again.
gc.disable()

import os
import signal
import sys
import time
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ketline.execution.child import main as child
from ketline.execution.child.executor import Executor
from ketline.execution.child.resource_use import ResourceUse
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.admission import is_admission_request
from ketline.execution.protocol.requests import Request
from ketline.execution.protocol.responses import Response
from ketline.execution.protocol.start import READY, decode_limits
from ketline.execution.simulators.quota import Admit, always_admit
from ketline.simulator import die_with_parent
from tests.failpoints.control import Control, Fault

POLL_SECONDS = 0.02


def digest(circuit: str) -> str:
    """A program's name in the records of executions."""
    return sha256(circuit.encode()).hexdigest()[:16]


def reach(control: Control, point: str) -> None:
    """Go on, unless the point is armed."""
    match control.claim(point, "child"):
        case None:
            return
        case Fault.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Fault.ERROR:
            raise RuntimeError(f"failpoint {point}")
        case _:
            signal.pause()


class FailingExecutor(Executor):
    """Has a failpoint before and after each request, notes what is executed, and waits while executions are held."""

    def __init__(self, limits: ExecutionLimits, control: Control) -> None:
        super().__init__(limits)
        self._control = control

    def respond(self, request: Request, admit: Admit = always_admit) -> Response:
        self._control.note_execution(digest(request.spec.circuit), request.token)
        reach(self._control, "child.received")
        while self._control.holding:
            time.sleep(POLL_SECONDS)
        response = super().respond(request, admit)
        reach(self._control, "child.answering")
        return response


class FailingConnection(Connection):
    """Has a failpoint after each response."""

    def __init__(self, fd: int, control: Control) -> None:
        super().__init__(fd)
        self._control = control

    def send_bytes(self, buf: Any, offset: int = 0, size: int | None = None) -> None:
        super().send_bytes(buf, offset, size)
        if buf != READY and not is_admission_request(buf):
            reach(self._control, "child.answered")


def main(directory: str, fd: str, parent: str, limits: str) -> None:
    """Serve the parent as a simulator process does, through failpoints."""
    control, bounds = Control(Path(directory)), decode_limits(limits)
    die_with_parent(int(parent))
    control.note_simulator()
    child.bound_resources(bounds)
    with FailingConnection(int(fd), control) as pipe:
        child.run(pipe, FailingExecutor(bounds, control), bounds, ResourceUse())


if __name__ == "__main__":
    main(*sys.argv[1:])
