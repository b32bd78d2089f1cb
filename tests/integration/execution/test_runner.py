"""The runner keeps its promises with a real child: results, errors, deaths, limits, and nothing left behind."""

import asyncio
import os
import resource
import signal
from dataclasses import replace
from datetime import timedelta

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.circuits.method import Method
from ketline.domain.errors import InputMissing, ProgramInvalid, ProgramTooLarge, SimulatorDied, TimeLimitExceeded
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner, ChildRunnerFactory
from tests.devices import device_of, run_on
from tests.integration.execution.conftest import BELL, ENDLESS, LIMITS, child_pid, is_gone, read_proc, until
from tests.reference import EXAMPLES, EXPECTED, assert_counts_match

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", EXPECTED)
async def test_example_gives_the_expected_counts(runner: ChildRunner, name: str) -> None:
    result = await runner.run(TaskSpec(circuit=(EXAMPLES / name).read_text(), shots=2048))
    assert_counts_match(result.counts, EXPECTED[name], 2048)


async def test_result_has_a_profile(runner: ChildRunner) -> None:
    result = await runner.run(TaskSpec(circuit=BELL, shots=100))
    assert result.shots == 100
    profile = result.profile
    assert (profile.method, profile.qubits, profile.depth) == ("statevector", 2, 3)
    assert profile.operations == {"h": 1, "cx": 1, "measure": 2}
    assert profile.parsing_seconds > 0
    assert profile.simulating_seconds > 0
    assert profile.queued_seconds == 0
    assert profile.tier == "scanner"


async def test_profile_has_what_the_program_alone_took(runner: ChildRunner) -> None:
    turns = "".join(f"ry(0.{number + 1}) q[{number}]; " for number in range(22))
    links = "".join(f"cx q[{number}], q[{number + 1}]; " for number in range(21))
    program = f'include "stdgates.inc"; qubit[22] q; bit[22] c; {turns}{links}{turns}c = measure q;'
    options = RunOptions(method=Method.STATEVECTOR)
    small, large, again = [
        (await runner.run(TaskSpec(circuit=circuit, shots=10, options=options))).profile
        for circuit in (BELL, program, BELL)
    ]
    assert small.memory_bytes is not None
    assert large.memory_bytes is not None
    assert again.memory_bytes is not None
    assert large.memory_bytes - small.memory_bytes > 16 << 22  # its state has 2**22 amplitudes
    assert large.memory_bytes - again.memory_bytes > 16 << 22
    assert small.processor_seconds is not None
    assert large.processor_seconds is not None
    assert large.processor_seconds > small.processor_seconds > 0
    assert large.processor_seconds < LIMITS.threads * (large.parsing_seconds + large.simulating_seconds) + 0.5


async def test_inputs_cross_the_pipe(runner: ChildRunner) -> None:
    text = "input float θ; input bool flag; qubit q; bit c; if (flag) { U(θ, 0, 0) q; } c = measure q;"
    result = await runner.run(TaskSpec(circuit=text, shots=10, inputs={"θ": 3.141592653589793, "flag": True}))
    assert result.counts == {"1": 10}
    assert result.profile.tier == "unroller"


async def test_missing_input_has_the_place_of_its_declaration(runner: ChildRunner) -> None:
    with pytest.raises(InputMissing, match="input 'n' of type 'int' has no value") as caught:
        await runner.run(TaskSpec(circuit="qubit q;\n input int n;", shots=10))
    assert (caught.value.line, caught.value.column) == (2, 12)


async def test_input_that_the_program_does_not_declare_is_rejected(runner: ChildRunner) -> None:
    with pytest.raises(ProgramInvalid, match="the program has no input 'n'"):
        await runner.run(TaskSpec(circuit=BELL, shots=10, inputs={"n": 1}))


async def test_rejection_crosses_the_pipe_with_its_place(runner: ChildRunner) -> None:
    with pytest.raises(ProgramInvalid, match="gate 'foo' is not defined") as caught:
        await runner.run(TaskSpec(circuit="qubit q;\n foo q;", shots=10))
    assert (caught.value.line, caught.value.column) == (2, 2)


async def test_concurrent_calls_run_one_after_another(runner: ChildRunner) -> None:
    results = await asyncio.gather(*(runner.run(TaskSpec(circuit=BELL, shots=shots)) for shots in (1, 2, 3)))
    assert [result.shots for result in results] == [1, 2, 3]


async def test_child_killed_while_idle_is_replaced(runner: ChildRunner) -> None:
    pid = child_pid(runner)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None)
    assert (await runner.run(TaskSpec(circuit=BELL, shots=10))).shots == 10
    assert runner.pid != pid


async def test_child_killed_at_work_is_reported_and_replaced(runner: ChildRunner) -> None:
    pid = child_pid(runner)
    running = asyncio.create_task(runner.run(TaskSpec(circuit=ENDLESS, shots=1)))
    await until(lambda: runner.busy)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SimulatorDied, match="SIGKILL"):
        await running
    assert (await runner.run(TaskSpec(circuit=BELL, shots=10))).shots == 10


async def test_cancelling_kills_the_child_and_frees_the_runner(runner: ChildRunner) -> None:
    await runner.run(TaskSpec(circuit=BELL, shots=1))
    pid = child_pid(runner)
    running = asyncio.create_task(runner.run(TaskSpec(circuit=ENDLESS, shots=1)))
    await until(lambda: runner.busy)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: is_gone(pid), seconds=2)
    assert (await runner.run(TaskSpec(circuit=BELL, shots=10))).shots == 10


async def test_cancelling_a_waiting_call_leaves_the_running_one_alone(runner: ChildRunner) -> None:
    await runner.run(TaskSpec(circuit=BELL, shots=1))
    pid = runner.pid
    first = asyncio.create_task(runner.run(TaskSpec(circuit=(EXAMPLES / "teleportation.qasm").read_text(), shots=2000)))
    waiting = asyncio.create_task(runner.run(TaskSpec(circuit=ENDLESS, shots=1)))
    await until(lambda: runner.busy)
    waiting.cancel()
    assert (await first).shots == 2000
    assert runner.pid == pid


async def test_event_loop_runs_on_while_aer_does(runner: ChildRunner) -> None:
    running = asyncio.create_task(runner.run(TaskSpec(circuit=ENDLESS, shots=1)))
    await until(lambda: runner.busy)
    loop = asyncio.get_running_loop()
    longest, last = 0.0, loop.time()
    for _ in range(50):
        await asyncio.sleep(0.001)
        longest, last = max(longest, loop.time() - last), loop.time()
    assert not running.done()
    running.cancel()
    assert longest < 1


async def test_ctrl_c_does_not_reach_the_child(runner: ChildRunner) -> None:
    await runner.run(TaskSpec(circuit=BELL, shots=1))
    pid = child_pid(runner)
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGINT)
    assert (await runner.run(TaskSpec(circuit=BELL, shots=10))).shots == 10
    assert runner.pid == pid


async def test_child_is_confined(runner: ChildRunner) -> None:
    await runner.run(TaskSpec(circuit=BELL, shots=1))
    rows = read_proc(runner, "limits").splitlines()
    limits = {row[:25].strip(): row[25:].split()[0] for row in rows}
    assert int(limits["Max address space"]) == (2 << 30) + LIMITS.memory_bytes + (80 << 20)
    assert limits["Max core file size"] == "0"


async def test_child_for_a_gpu_has_no_limit_of_address_space() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    async with ChildRunnerFactory(replace(LIMITS, gpu=True)).open_runner() as runner:
        assert isinstance(runner, ChildRunner)
        assert (await runner.run(TaskSpec(circuit=BELL, shots=10))).shots == 10
        rows = read_proc(runner, "limits").splitlines()
        limits = {row[:25].strip(): row[25:].split()[0] for row in rows}
        assert limits["Max address space"] == ("unlimited" if soft == resource.RLIM_INFINITY else str(soft))
        assert limits["Max core file size"] == "0"


async def test_child_does_not_inherit_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@host/db")
    async with ChildRunnerFactory(LIMITS).open_runner() as runner:
        assert isinstance(runner, ChildRunner)
        assert "hunter2" not in read_proc(runner, "environ")


async def test_nothing_of_a_program_reaches_our_output(runner: ChildRunner, capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("qubit[3] q;\n x q[3;", "# secret", "qubit q; x secret"):
        with pytest.raises(ProgramInvalid):
            await runner.run(TaskSpec(circuit=text, shots=1))
    assert capfd.readouterr() == ("", "")


async def test_endless_program_is_stopped_at_the_time_limit() -> None:
    limits = ExecutionLimits(time_limit=timedelta(seconds=1))
    async with ChildRunnerFactory(limits).open_runner() as runner:
        assert isinstance(runner, ChildRunner)
        pid = child_pid(runner)
        with pytest.raises(TimeLimitExceeded, match=r"stopped after \d+\.\d s, at the time limit of 1 s"):
            await runner.run(TaskSpec(circuit=ENDLESS, shots=1))
        assert is_gone(pid)
        with pytest.raises(ProgramInvalid):  # from a fresh child
            await runner.run(TaskSpec(circuit="nonsense", shots=1))


async def test_program_stopped_on_a_device_gets_advice() -> None:
    limits = ExecutionLimits(time_limit=timedelta(seconds=1))
    spec = TaskSpec(circuit=ENDLESS, shots=1, options=RunOptions(device=run_on(device_of(noisy=False))))
    async with ChildRunnerFactory(limits).open_runner() as runner:
        with pytest.raises(TimeLimitExceeded, match=r"limit of 1 s, .* device 'small' .* lower optimization_level"):
            await runner.run(spec, DEFAULT_PROJECT)


async def test_slow_reading_is_stopped_at_the_soft_time_limit() -> None:
    limits = ExecutionLimits(soft_time_limit=timedelta(seconds=0.3), time_limit=timedelta(seconds=60))
    async with ChildRunnerFactory(limits).open_runner() as runner:
        with pytest.raises(TimeLimitExceeded, match=r"soft time limit of 0\.3 s"):
            # The modifier keeps it from the scanner, which would be done in time.
            await runner.run(
                TaskSpec(
                    circuit="qubit q; bit c; inv @ U(0, 0, 0) q;" + "U(0, 0, 0) q;" * 5000 + "c = measure q;", shots=1
                ),
                DEFAULT_PROJECT,
            )
        assert (
            await runner.run(TaskSpec(circuit="qubit q; bit c; c = measure q;", shots=5), DEFAULT_PROJECT)
        ).counts == {"0": 5}


async def test_result_over_the_size_limit_is_rejected() -> None:
    limits = ExecutionLimits(max_result_bytes=10_000)
    async with ChildRunnerFactory(limits).open_runner() as runner:
        with pytest.raises(ProgramTooLarge, match="different outcomes"):
            await runner.run(
                TaskSpec(circuit='include "stdgates.inc"; qubit[60] q; bit[60] c; h q; c = measure q;', shots=1000),
                DEFAULT_PROJECT,
            )


async def test_closing_leaves_no_process_behind() -> None:
    async with ChildRunnerFactory(LIMITS).open_runner() as runner:
        assert isinstance(runner, ChildRunner)
        pid = child_pid(runner)
        running = asyncio.create_task(runner.run(TaskSpec(circuit=ENDLESS, shots=1)))
        await until(lambda: runner.busy)
    assert is_gone(pid)
    with pytest.raises(SimulatorDied):
        await running


async def test_child_that_has_grown_is_replaced_between_two_programs() -> None:
    loop = "for int i in [0:2] { c = measure q; if (c) break; x q; }"
    runner = ChildRunner(replace(LIMITS, growth_bytes=4 << 20))
    await runner.open()
    first = child_pid(runner)
    try:
        for number in range(200):
            program = f'include "stdgates.inc"; qubit q; bit c; int n = {number}; {30 * loop} c = measure q;'
            assert (await runner.run(TaskSpec(circuit=program, shots=2))).counts == {"1": 2}
            if runner.pid != first:
                break
        else:
            pytest.fail("the child has not been replaced")
        assert (await runner.run(TaskSpec(circuit="qubit q; bit c; c = measure q;", shots=2))).counts == {"0": 2}
        assert runner.pid not in {first, None}
    finally:
        await runner.close()
    assert is_gone(first)
