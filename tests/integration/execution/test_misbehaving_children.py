"""Whatever a child does, the runner says what happened and stays usable or fails cleanly."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.errors import (
    ExecutionFailed,
    MemoryLimitExceeded,
    SimulatorDied,
    SimulatorNotStarted,
    TimeLimitExceeded,
)
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.inspector import open_inspector
from ketline.execution.parent.runner import ChildRunner, ChildRunnerFactory
from ketline.execution.protocol.start import READY
from ketline.ports.tasks.runner import CircuitRunner
from tests.integration.execution.conftest import child_pid, until

LIMITS = ExecutionLimits(
    time_limit=timedelta(seconds=30), start_time_limit=timedelta(seconds=30), max_result_bytes=1 << 20
)
SERVES = """
import os, sys, signal
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
pipe.send_bytes(<ready>)
while True:
    order = pipe.recv_bytes()
    {}
""".replace("<ready>", repr(READY))


STOPS_READING = """
import os, sys, signal
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
pipe.send_bytes(<ready>)
os.read(pipe.fileno(), {})
signal.pause()
""".replace("<ready>", repr(READY))


def child(action: str) -> list[str]:
    return [sys.executable, "-c", SERVES.format(action)]


MISBEHAVIOUR: dict[str, tuple[str, type[ExecutionFailed], str]] = {
    "exits": ("sys.exit(3)", SimulatorDied, "exit status 3"),
    "crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", SimulatorDied, "SIGSEGV"),
    "aborts out of memory": (
        "os.write(2, b'terminate called after std::bad_alloc'); os.abort()",
        MemoryLimitExceeded,
        "more than 1024 MiB",
    ),
    "talks nonsense": ("pipe.send_bytes(b'nonsense')", SimulatorDied, "sent an invalid response"),
    "invents counts": (
        "import json; said = {'counts': {'0': 99}, 'profile': {}}; token = json.loads(order)['token']; "
        "pipe.send_bytes(json.dumps({'result': said, 'retiring': False, 'token': token}).encode())",
        SimulatorDied,
        "sent an invalid response",
    ),
    "talks too much": ("pipe.send_bytes(b'x' * (4 << 20))", SimulatorDied, "while running the program"),
    "breaks off": ("os.write(pipe.fileno(), b'\\0\\0'); sys.exit(0)", SimulatorDied, "while running the program"),
}


@pytest.mark.parametrize(("action", "kind", "message"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR.keys())
async def test_child_that(action: str, kind: type[ExecutionFailed], message: str) -> None:
    async with ChildRunnerFactory(LIMITS, command=child(action)).open_runner() as runner:
        for _ in range(2):  # the second time from a fresh child
            with pytest.raises(kind, match=message) as caught:
                await runner.run(TaskSpec(circuit="a program", shots=10), DEFAULT_PROJECT)
            assert type(caught.value) is kind


async def test_child_learns_the_project_of_a_program() -> None:
    """The child draws what it was told."""
    action = (
        'import json; told = json.loads(order); drawn = f\'{told["command"]} for {told["project"]}\'; '
        "pipe.send_bytes(json.dumps({'drawing': drawn, 'retiring': False, 'token': told['token']}).encode())"
    )
    minute = timedelta(seconds=60)
    async with open_inspector(
        LIMITS, time_limit=minute, idle_time=minute, max_waiting=1, command=child(action)
    ) as inspector:
        for project in ("ours", "theirs"):
            drawn = await inspector.draw(ProgramSource(circuit="p"), Drawing.TEXT, ProjectName(project))
            assert drawn == f"draw for {project}"


async def test_runner_reports_a_child_that_ends_while_it_is_idle_and_no_other() -> None:
    ended: asyncio.Queue[CircuitRunner] = asyncio.Queue()
    factory = ChildRunnerFactory(LIMITS, command=child("sys.exit(1)"))
    async with factory.open_runner(ended.put_nowait) as runner:
        assert isinstance(runner, ChildRunner)
        with pytest.raises(SimulatorDied):  # the caller knows
            await runner.run(TaskSpec(circuit="a program", shots=10), DEFAULT_PROJECT)
        await runner.open()
        assert runner.pid is not None
        os.kill(runner.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            assert await ended.get() is runner
    assert ended.empty()


async def test_runner_reports_that_no_child_starts_after_one_that_was_stopped(tmp_path: Path) -> None:
    ended: asyncio.Queue[CircuitRunner] = asyncio.Queue()
    broken = tmp_path / "broken"
    fails_later = f"import os, sys; os.path.exists({str(broken)!r}) and sys.exit(1)"
    command = [sys.executable, "-c", f"{fails_later}\n{SERVES.format('sys.exit(1)')}"]
    async with ChildRunnerFactory(LIMITS, command=command).open_runner(ended.put_nowait) as runner:
        broken.touch()
        with pytest.raises(SimulatorDied):
            await runner.run(TaskSpec(circuit="a program", shots=10), DEFAULT_PROJECT)
        async with asyncio.timeout(60):
            assert await ended.get() is runner


async def test_child_that_says_nothing() -> None:
    limits = ExecutionLimits(time_limit=timedelta(seconds=0.5))
    async with ChildRunnerFactory(limits, command=child("signal.pause()")).open_runner() as runner:
        for _ in range(2):
            with pytest.raises(TimeLimitExceeded, match=r"time limit of 0\.5 s"):
                await runner.run(TaskSpec(circuit="a program", shots=10), DEFAULT_PROJECT)


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


async def test_child_that_stops_reading_is_no_fault_of_the_program() -> None:
    limits = replace(LIMITS, transfer_time_limit=timedelta(seconds=0.2))
    stopping = STOPS_READING.format(2)
    async with ChildRunnerFactory(limits, command=[sys.executable, "-c", stopping]).open_runner() as runner:
        with pytest.raises(SimulatorDied, match="stopped in the middle of an answer"):
            await runner.run(TaskSpec(circuit="x" * (4 << 20), shots=10), DEFAULT_PROJECT)


async def test_child_that_closes_its_end_is_not_waited_for() -> None:
    closing = child(
        "os.dup(pipe.fileno()); __import__('socket').socket(fileno=pipe.fileno()).shutdown(1); signal.pause()"
    )
    async with ChildRunnerFactory(LIMITS, command=closing).open_runner() as runner:
        async with asyncio.timeout(10):
            with pytest.raises(SimulatorDied):
                await runner.run(TaskSpec(circuit="a program", shots=10), DEFAULT_PROJECT)


async def test_runner_does_not_wait_for_who_has_the_pipe_of_its_child() -> None:
    forking = child("os.fork() or (__import__('time').sleep(8), os._exit(0)); signal.pause()")
    async with ChildRunnerFactory(LIMITS, command=forking).open_runner() as runner:
        assert isinstance(runner, ChildRunner)
        pid = child_pid(runner)
        running = asyncio.create_task(runner.run(TaskSpec(circuit="a program", shots=10)))
        await until(lambda: bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()))
        closing_at = time.monotonic()
    assert time.monotonic() - closing_at < 5
    with pytest.raises(SimulatorDied):
        await running


async def test_runner_may_be_closed_twice() -> None:
    runner = ChildRunner(LIMITS, child("signal.pause()"))
    await runner.open()
    await asyncio.gather(runner.close(), runner.close())
    await runner.close()
    with pytest.raises(SimulatorDied, match="closed"):
        await runner.run(TaskSpec(circuit="a program", shots=10))


async def test_child_whose_pipe_cannot_be_opened_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError("no more of that")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_connection", fail)
    runner = ChildRunner(LIMITS, child("signal.pause()"))
    with pytest.raises(SimulatorDied, match="could not be started"):
        await runner.open()
    assert runner.pid is None
    await runner.close()


@pytest.mark.parametrize("word", [b'"ready"', b'"ready 0123456789abcdef"', b"nonsense"])
async def test_child_of_another_version_is_given_no_work(word: bytes) -> None:
    """As after an upgrade of the package below a running worker, whose code in memory is the old one."""
    command = [sys.executable, "-c", SERVES.format("os.abort()").replace(repr(READY), repr(word))]
    runner = ChildRunner(LIMITS, command)
    with pytest.raises(SimulatorNotStarted, match="another version; the package was replaced: restart"):
        await runner.open()
    await runner.close()
