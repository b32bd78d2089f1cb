"""Whatever a child does, the runner says what happened and stays usable or fails cleanly."""

import sys
from datetime import timedelta

import pytest

from ketline.domain.errors import ExecutionFailed, MemoryLimitExceeded, SimulatorDied, TimeLimitExceeded
from ketline.execution import ChildRunnerFactory, ExecutionLimits

LIMITS = ExecutionLimits(
    time_limit=timedelta(seconds=30), start_time_limit=timedelta(seconds=30), max_result_bytes=1 << 20
)
READY = """
import os, sys, signal
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
pipe.send_bytes(b'"ready"')
while True:
    order = pipe.recv_bytes()
    {}
"""


def child(action: str) -> list[str]:
    return [sys.executable, "-c", READY.format(action)]


MISBEHAVIOUR: dict[str, tuple[str, type[ExecutionFailed], str]] = {
    "exits": ("sys.exit(3)", SimulatorDied, "exit status 3"),
    "crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", SimulatorDied, "SIGSEGV"),
    "aborts out of memory": (
        "os.write(2, b'terminate called after std::bad_alloc'); os.abort()",
        MemoryLimitExceeded,
        "more than 1024 MiB",
    ),
    "talks nonsense": ("pipe.send_bytes(b'nonsense')", SimulatorDied, "no sensible answer"),
    "invents counts": (
        "import json; said = {'counts': {'0': 99}, 'profile': {}}; token = json.loads(order)['token']; "
        "pipe.send_bytes(json.dumps({'result': said, 'retiring': False, 'token': token}).encode())",
        SimulatorDied,
        "no sensible answer",
    ),
    "talks too much": ("pipe.send_bytes(b'x' * (4 << 20))", SimulatorDied, "while running the program"),
    "breaks off": ("os.write(pipe.fileno(), b'\\0\\0'); sys.exit(0)", SimulatorDied, "while running the program"),
}


@pytest.mark.parametrize(("action", "kind", "message"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR.keys())
async def test_child_that(action: str, kind: type[ExecutionFailed], message: str) -> None:
    async with ChildRunnerFactory(LIMITS, command=child(action)).open_runner() as runner:
        for _ in range(2):  # the second time from a fresh child
            with pytest.raises(kind, match=message) as caught:
                await runner.run("a program", 10)
            assert type(caught.value) is kind


async def test_child_that_says_nothing() -> None:
    limits = ExecutionLimits(time_limit=timedelta(seconds=0.5))
    async with ChildRunnerFactory(limits, command=child("signal.pause()")).open_runner() as runner:
        for _ in range(2):
            with pytest.raises(TimeLimitExceeded, match=r"time limit of 0\.5 s"):
                await runner.run("a program", 10)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["/nonexistent/python"], "could not be started"),
        ([sys.executable, "-c", "raise SystemExit(1)"], "could not be started"),
        ([sys.executable, "-c", "import signal; signal.pause()"], "did not become ready"),
    ],
    ids=["is not there", "ends at once", "never gets ready"],
)
async def test_child_that_does_not_start(command: list[str], message: str) -> None:
    limits = ExecutionLimits(start_time_limit=timedelta(seconds=0.5))
    with pytest.raises(SimulatorDied, match=message):
        async with ChildRunnerFactory(limits, command=command).open_runner():
            pass
