"""The child of an API process: there when it is needed, within its limits, and gone when it is not."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from ketline.domain.circuits.method import Method
from ketline.domain.errors import (
    InputMissing,
    InspectorBusy,
    MemoryLimitExceeded,
    ProgramInvalid,
    ServiceUnavailable,
    TimeLimitExceeded,
)
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.inspector import ChildInspector, open_inspector
from ketline.execution.parent.runner import CHILD
from ketline.execution.protocol.start import READY
from tests.integration.execution.conftest import BELL, is_gone, until

LIMITS = ExecutionLimits(memory_bytes=1 << 40, process_memory_bytes=256 << 20)
SOURCE = ProgramSource(circuit=BELL)
SPEC = TaskSpec(circuit=BELL, shots=100)
# Read by the importer, which takes longer for it than any test waits.
SLOW = TaskSpec(circuit="qubit q; bit c; inv @ U(0, 0, 0) q;" + "U(0, 0, 0) q;" * 30_000 + "c = measure q;", shots=1)
SILENT = """
import signal, sys
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
pipe.send_bytes(<ready>)
pipe.recv_bytes()
{}
""".replace("<ready>", repr(READY))


def opened(
    seconds: float = 30,
    idle_seconds: float = 600,
    max_waiting: int = 8,
    readers: int = 2,
    command: Sequence[str] = CHILD,
) -> AbstractAsyncContextManager[ChildInspector]:
    return open_inspector(
        LIMITS,
        time_limit=timedelta(seconds=seconds),
        idle_time=timedelta(seconds=idle_seconds),
        max_waiting=max_waiting,
        readers=readers,
        command=command,
    )


def pid_of(inspector: ChildInspector) -> int | None:
    """The process id of the only child that there is now, if there is one."""
    return next(iter(inspector.pids), None)


def doing(action: str) -> list[str]:
    return [sys.executable, "-c", SILENT.format(action)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inspector() -> AsyncIterator[ChildInspector]:
    async with opened() as inspector:
        yield inspector


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_program_is_inspected_in_a_child(inspector: ChildInspector) -> None:
    inspection = await inspector.inspect(SPEC)
    assert (inspection.method, inspection.qubits, inspection.depth) == (Method.STATEVECTOR, 2, 3)
    assert pid_of(inspector) is not None


async def test_memory_of_a_worker_decides_not_that_of_the_child(inspector: ChildInspector) -> None:
    wide = TaskSpec(
        circuit="qubit[34] q; bit c; U(1, 1, 1) q; c = measure q[0]; if (c) U(1, 1, 1) q; c = measure q[0];",
        shots=100,
        options=RunOptions(method=Method.STATEVECTOR),
    )
    inspection = await inspector.inspect(wide)
    assert (inspection.method, inspection.memory_bytes) == (Method.STATEVECTOR, 16 << 34)


async def test_inputs_and_mistakes_cross_the_pipe(inspector: ChildInspector) -> None:
    text = "input int n;\nqubit q; bit c; for int i in [1:n] { U(1, 1, 1) q; } c = measure q;"
    inspection = await inspector.inspect(TaskSpec(circuit=text, inputs={"n": 5}, shots=100))
    assert inspection.operations == {"u": 5, "measure": 1}
    with pytest.raises(InputMissing, match="input 'n' of type 'int' has no value") as caught:
        await inspector.inspect(TaskSpec(circuit=text, shots=100))
    assert (caught.value.line, caught.value.column) == (1, 11)


async def test_all_mistakes_cross_the_pipe(inspector: ChildInspector) -> None:
    text = "qubit q;\nbit c\nfoo q;\nc = measure r;"
    with pytest.raises(ProgramInvalid) as caught:
        await inspector.inspect(TaskSpec(circuit=text, shots=100))
    assert [one.line for one in (caught.value, *caught.value.others)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("drawing", "word"), [(Drawing.TEXT, "┤ H ├"), (Drawing.SVG, "</svg>"), (Drawing.FLAT, "cx q[0], q[1];")]
)
async def test_program_is_drawn_in_a_child(inspector: ChildInspector, drawing: Drawing, word: str) -> None:
    assert word in await inspector.draw(SOURCE, drawing)


async def test_slow_program_is_stopped_in_time_and_the_next_is_read() -> None:
    async with opened(seconds=1) as inspector:
        await inspector.inspect(SPEC)
        asked_at = asyncio.get_running_loop().time()
        with pytest.raises(TimeLimitExceeded):
            await inspector.inspect(SLOW)
        assert asyncio.get_running_loop().time() - asked_at < 3
        assert (await inspector.inspect(SPEC)).qubits == 2


async def test_child_that_does_not_answer_is_killed() -> None:
    async with opened(seconds=0.5, command=doing("signal.pause()")) as inspector:
        with pytest.raises(TimeLimitExceeded):
            await inspector.draw(SOURCE, Drawing.SVG)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("signal.raise_signal(signal.SIGSEGV)", ServiceUnavailable),
        ("sys.stderr.write('MemoryError'); sys.exit(1)", MemoryLimitExceeded),
    ],
)
async def test_child_that_dies_is_told_of(action: str, kind: type[Exception]) -> None:
    async with opened(command=doing(action)) as inspector:
        with pytest.raises(kind):
            await inspector.inspect(SPEC)


@pytest.mark.parametrize("again", [False, True])
async def test_program_is_read_by_another_child_when_the_first_is_killed(again: bool, tmp_path: Path) -> None:
    """From outside, as a system short of memory kills: nothing is the matter with the program."""
    killed = tmp_path / "killed"
    killing = f"import os, pathlib; pathlib.Path({str(killed)!r}).touch(); os.kill(os.getpid(), signal.SIGKILL)"
    answering = "import runpy; runpy.run_module('ketline.simulator', run_name='__main__')"
    first = SILENT.format(killing)
    script = f"import pathlib\nif {again} or not pathlib.Path({str(killed)!r}).exists():\n"
    script += "".join(f"    {line}\n" for line in first.splitlines()) + f"else:\n    {answering}\n"
    async with opened(command=[sys.executable, "-c", script]) as inspector:
        if again:
            with pytest.raises(ServiceUnavailable, match="twice"):
                await inspector.draw(SOURCE, Drawing.TEXT)
        else:
            assert (await inspector.inspect(SPEC)).qubits == 2
        assert killed.exists()


async def test_only_so_many_wait_and_none_for_long() -> None:
    async with opened(seconds=2, max_waiting=1, readers=1, command=doing("signal.pause()")) as inspector:
        running = asyncio.create_task(inspector.inspect(SPEC))
        await until(lambda: pid_of(inspector) is not None)
        waiting = asyncio.create_task(inspector.inspect(SPEC))
        await asyncio.sleep(0)
        with pytest.raises(InspectorBusy, match="1 calls wait"):
            await inspector.inspect(SPEC)
        with pytest.raises(InspectorBusy, match="being read"):
            await waiting
        with pytest.raises(TimeLimitExceeded):
            await running


async def test_heavy_programs_do_not_keep_others_from_being_read() -> None:
    """Two of them have both children; what comes then is read within a second or two all the same."""
    async with opened(seconds=60) as inspector:
        heavy = [asyncio.create_task(inspector.inspect(SLOW)) for _ in range(2)]
        await until(lambda: len(inspector.pids) == 2)
        inspections = await asyncio.gather(*(inspector.inspect(SPEC) for _ in range(5)))
        assert [inspection.qubits for inspection in inspections] == [2] * 5
        assert not any(call.done() for call in heavy)
        for call in heavy:
            call.cancel()
        await asyncio.gather(*heavy, return_exceptions=True)


def processor_ticks(pid: int) -> int:
    """How much processor time a process has used, in hundredths of a second."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


async def test_cancelled_call_kills_its_child_and_lets_the_next_go_on(inspector: ChildInspector) -> None:
    await inspector.inspect(SPEC)
    pid = pid_of(inspector)
    assert pid is not None
    before = processor_ticks(pid)
    running = asyncio.create_task(inspector.inspect(SLOW))
    await until(lambda: processor_ticks(pid) > before + 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: is_gone(pid))
    assert (await inspector.inspect(SPEC)).qubits == 2


async def test_there_is_no_child_before_the_first_call_and_after_the_last() -> None:
    async with opened() as inspector:
        assert pid_of(inspector) is None
        await inspector.inspect(SPEC)
        pid = pid_of(inspector)
        assert pid is not None
    assert is_gone(pid)


async def test_idle_child_is_let_go_and_another_started_when_needed() -> None:
    async with opened(idle_seconds=0.3) as inspector:
        pids = set()
        for _ in range(2):
            await inspector.inspect(SPEC)
            pids.add(pid_of(inspector))
            await until(lambda: pid_of(inspector) is None)
        assert None not in pids
        assert len(pids) == 2
        await until(lambda: all(is_gone(pid) for pid in pids if pid is not None))


async def test_child_that_cannot_be_started_is_not_the_programs_fault() -> None:
    async with opened(command=["/nonexistent/python"]) as inspector:
        for _ in range(2):
            with pytest.raises(ServiceUnavailable, match="could not be started"):
                await inspector.inspect(SPEC)


async def test_call_that_is_under_way_at_the_end_leaves_no_child_behind(tmp_path: Path) -> None:
    started = tmp_path / "started"
    noting = doing(f"open({str(started)!r}, 'a').write('x'); signal.pause()")
    async with opened(command=noting) as inspector:
        call = asyncio.create_task(inspector.inspect(SPEC))
        await until(lambda: started.exists() and started.stat().st_size > 0)
    with pytest.raises(ServiceUnavailable, match="is stopping"):
        await call
    assert pid_of(inspector) is None
    assert started.read_text() == "x"
