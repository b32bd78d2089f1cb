"""The simulator process with failpoints: `python -m tests.failpoints.child DIRECTORY FD PARENT LIMITS`."""

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
from ketline.execution.protocol import READY, Request, Response, decode_limits, is_admission_request
from ketline.execution.simulators.quota import Ask, granted
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


def install(control: Control) -> None:
    """Have a simulator process answer through failpoints."""

    class FailingExecutor(Executor):
        def respond(self, request: Request, ask: Ask = granted) -> Response:
            control.note_execution(digest(request.spec.circuit), request.token)
            reach(control, "child.received")
            while control.holding:
                time.sleep(POLL_SECONDS)
            answer = super().respond(request, ask)
            reach(control, "child.answering")
            return answer

    class FailingConnection(Connection):
        def send_bytes(self, buf: Any, offset: int = 0, size: int | None = None) -> None:
            super().send_bytes(buf, offset, size)
            if buf != READY and not is_admission_request(buf):
                reach(control, "child.answered")

    for replacement in (FailingExecutor, FailingConnection):
        setattr(child, replacement.__mro__[1].__name__, replacement)


if __name__ == "__main__":
    install(Control(Path(sys.argv[1])))
    die_with_parent(int(sys.argv[3]))
    child.main(int(sys.argv[2]), decode_limits(sys.argv[4]))
