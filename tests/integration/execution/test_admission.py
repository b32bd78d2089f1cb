"""Two slots and one machine: whoever has it gives it back, whatever becomes of him."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.circuits.method import Method
from ketline.domain.errors import MachineBusy, MemoryLimitExceeded, SimulatorDied, TimeLimitExceeded
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner, ChildRunnerFactory
from ketline.execution.protocol.start import READY
from ketline.ports.tasks.runner import CircuitRunner
from tests.acceptance.programs import long_program
from tests.integration.execution.conftest import BELL, child_pid, is_gone, read_proc, until

MEBIBYTE = 1 << 20
STATEVECTOR = RunOptions(method=Method.STATEVECTOR)
LIMITS = ExecutionLimits(time_limit=timedelta(seconds=60), memory_bytes=256 * MEBIBYTE, small_memory_bytes=MEBIBYTE)
# It does what the program's text says, and says through a file that it was let in.
CHILD = """
import json, os, signal, sys
from multiprocessing.connection import Connection
from pathlib import Path

def say(**said):
    pipe.send_bytes(json.dumps({**said, "token": order["token"]}, separators=(",", ":")).encode())

def answer(retiring=False):
    profile = {"method": "m", "qubits": 1, "depth": 1, "operations": {}, "parsing_seconds": 0, "simulating_seconds": 0,
               "processor_seconds": 0, "memory_bytes": 0, "registers": None, "warnings": []}
    say(result={"counts": {"0": order["shots"]}, "profile": profile}, retiring=retiring)

pipe = Connection(int(sys.argv[1]))
pipe.send_bytes(<ready>)
while True:
    order = json.loads(pipe.recv_bytes())
    does = order["circuit"]
    if does == "small":
        answer()
        continue
    say(needed_bytes=order["inputs"].get("needed", 2 << 20))
    if pipe.recv_bytes() != b'"granted"':
        continue
    Path(order["inputs"].get("held", "/dev/null")).touch()
    if does == "asks again":
        say(needed_bytes=2 << 20)
    if does == "runs out of memory":
        os.write(2, b"terminate called after std::bad_alloc")
        os.abort()
    if does == "large":
        answer()
    elif does == "retires":
        answer(retiring=True)
        signal.pause()
    else:
        signal.pause()
""".replace("<ready>", repr(READY))
SCRIPTED = (sys.executable, "-c", CHILD)


class Slots:
    """Two runners of one worker; the first can be set to work with the machine in its hands."""

    def __init__(self, first: CircuitRunner, second: CircuitRunner, directory: Path) -> None:
        assert isinstance(first, ChildRunner)
        self.first = first
        self.second = second
        self._held = directory / "held"

    async def hold(self, does: str = "waits", seconds: float = 60) -> "asyncio.Task[object]":
        """Have a program of the first runner let in, and give its run."""
        limit = timedelta(seconds=seconds)
        running = asyncio.create_task(
            self.first.run(
                TaskSpec(
                    circuit=does, shots=1, time_limit_seconds=limit.total_seconds(), inputs={"held": str(self._held)}
                )
            )
        )
        await until(self._held.exists)
        return running

    async def machine_is_free(self) -> bool:
        try:
            await self.second.run(TaskSpec(circuit="large", shots=1), DEFAULT_PROJECT)
        except MachineBusy:
            return False
        return True


@pytest.fixture
async def slots(tmp_path: Path) -> AsyncIterator[Slots]:
    factory = ChildRunnerFactory(LIMITS, command=SCRIPTED)
    async with factory.open_runner() as first, factory.open_runner() as second:
        yield Slots(first, second, tmp_path)


async def test_one_large_program_at_a_time(slots: Slots) -> None:
    running = await slots.hold()
    with pytest.raises(MachineBusy, match="waits for a large program") as caught:
        await slots.second.run(TaskSpec(circuit="large", shots=1), DEFAULT_PROJECT)
    assert caught.value.delay >= timedelta(seconds=1)
    assert (await slots.second.run(TaskSpec(circuit="small", shots=7), DEFAULT_PROJECT)).shots == 7
    assert not running.done()
    running.cancel()


async def test_machine_is_free_after_an_answer(slots: Slots) -> None:
    assert (await slots.first.run(TaskSpec(circuit="large", shots=3))).shots == 3
    assert await slots.machine_is_free()


async def test_machine_is_free_after_the_answer_of_a_child_that_retires(slots: Slots) -> None:
    assert (await slots.first.run(TaskSpec(circuit="retires", shots=3))).shots == 3
    assert not slots.first._admission.busy


async def test_machine_is_free_after_its_holder_is_killed(slots: Slots) -> None:
    running = await slots.hold()
    assert not await slots.machine_is_free()
    os.kill(child_pid(slots.first), signal.SIGKILL)
    with pytest.raises(SimulatorDied, match="SIGKILL"):
        await running
    assert await slots.machine_is_free()


async def test_machine_is_free_after_a_time_limit(slots: Slots) -> None:
    running = await slots.hold(seconds=1)
    with pytest.raises(TimeLimitExceeded, match="limit of 1 s"):
        await running
    assert await slots.machine_is_free()


async def test_machine_is_free_when_a_cancelled_run_returns(slots: Slots) -> None:
    """Whoever ends a run calls the next at once."""
    running = await slots.hold()
    pid = child_pid(slots.first)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not slots.first._admission.busy
    assert is_gone(pid)
    assert await slots.machine_is_free()


async def test_machine_is_free_after_running_out_of_memory(slots: Slots) -> None:
    with pytest.raises(MemoryLimitExceeded, match="more than 256 MiB"):
        await slots.first.run(TaskSpec(circuit="runs out of memory", shots=1))
    assert await slots.machine_is_free()


async def test_machine_is_free_after_its_holder_asks_again(slots: Slots) -> None:
    with pytest.raises(SimulatorDied, match="sent an invalid response"):
        await slots.first.run(TaskSpec(circuit="asks again", shots=1))
    assert await slots.machine_is_free()


async def test_machine_is_free_after_its_slot_is_closed(tmp_path: Path) -> None:
    factory = ChildRunnerFactory(LIMITS, command=SCRIPTED)
    async with factory.open_runner() as second:
        async with factory.open_runner() as first:
            slots = Slots(first, second, tmp_path)
            running = await slots.hold()
        with pytest.raises(SimulatorDied):
            await running
        assert await slots.machine_is_free()


@pytest.mark.parametrize("needed", [0, -1, True, "many", 257 * MEBIBYTE])
async def test_senseless_request_ends_its_child(slots: Slots, needed: int | str) -> None:
    with pytest.raises(SimulatorDied, match="sent an invalid response"):
        await slots.first.run(TaskSpec(circuit="large", shots=1, inputs={"needed": needed}))
    assert await slots.machine_is_free()


def address_space(runner: ChildRunner) -> int:
    """The bound that holds now."""
    [row] = [row for row in read_proc(runner, "limits").splitlines() if row.startswith("Max address space")]
    return int(row.split()[3])


async def test_real_programs_take_turns_and_small_ones_run_meanwhile() -> None:
    factory = ChildRunnerFactory(LIMITS)
    async with factory.open_runner() as first, factory.open_runner() as second:
        assert isinstance(first, ChildRunner)
        confined = address_space(first)
        running = asyncio.create_task(first.run(TaskSpec(circuit=long_program(19, 120), shots=10, options=STATEVECTOR)))
        await until(lambda: address_space(first) > confined)
        with pytest.raises(MachineBusy):
            await second.run(TaskSpec(circuit=long_program(19, 1), shots=10, options=STATEVECTOR), DEFAULT_PROJECT)
        assert (await second.run(TaskSpec(circuit=BELL, shots=10), DEFAULT_PROJECT)).shots == 10
        assert not running.done()
        assert (await running).profile.method == "statevector"
        assert (
            await second.run(TaskSpec(circuit=long_program(19, 1), shots=10, options=STATEVECTOR), DEFAULT_PROJECT)
        ).shots == 10
        await first.run(TaskSpec(circuit=BELL, shots=10))
        assert address_space(first) == confined
