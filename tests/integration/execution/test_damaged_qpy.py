"""Damaged QPY in real simulator processes: whatever it asks for, there is an answer, and the runner continues."""

import base64
import random
from typing import Any

import pytest
from qiskit.circuit import Parameter, QuantumCircuit

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.circuits.qpy import VERSIONS
from ketline.domain.errors import ExecutionFailed, MemoryLimitExceeded, ProgramInvalid, ProgramTooLarge
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.parent.runner import ChildRunner
from tests.circuits import as_qpy
from tests.integration.execution.conftest import read_proc

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

QPY = RunOptions(format=ProgramFormat.QPY)
HEADER_BYTES = 20
DAMAGED, DAMAGED_OF_LONG_RUNS = 25, 80
# Of the address space a process may take, by RLIMIT_AS: what importing takes, and 256 MiB of memory.
MAX_BYTES = 3 << 30


def circuit() -> Any:
    made = QuantumCircuit(3, 3)
    made.h(0)
    made.rx(Parameter("a") + 0.5, 1)
    inner = QuantumCircuit(2, name="mine")
    inner.h(0)
    inner.cx(0, 1)
    made.append(inner.to_gate().control(1), [0, 1, 2])
    with made.if_test((0, 1)):
        made.x(0)
    with made.for_loop(range(3)):
        made.t(2)
    made.measure([0, 1, 2], [0, 1, 2])
    return made


async def outcome_of(runner: ChildRunner, data: bytes) -> RunResult | ExecutionFailed:
    text = base64.b64encode(data).decode()
    try:
        return await runner.run(TaskSpec(circuit=text, shots=10, time_limit_seconds=60, options=QPY, inputs={"a": 0.1}))
    except ExecutionFailed as error:
        return error


async def test_every_damaged_file_has_an_answer(runner: ChildRunner, long_run: bool) -> None:
    choose = random.Random(5)
    whole = {version: base64.b64decode(as_qpy(circuit(), version)) for version in VERSIONS}
    outcomes = []
    for number in range(DAMAGED_OF_LONG_RUNS if long_run else DAMAGED):
        data = bytearray(whole[VERSIONS[number % len(VERSIONS)]])
        for _ in range(choose.choice((1, 1, 2, 4))):
            data[choose.randrange(HEADER_BYTES, len(data))] = choose.choice((0, 127, 255, choose.randrange(256)))
        outcomes.append(await outcome_of(runner, bytes(data)))
    assert not [outcome for outcome in outcomes if isinstance(outcome, ExecutionFailed) and outcome.retryable]
    assert any(isinstance(outcome, ProgramInvalid) for outcome in outcomes)
    assert isinstance(await outcome_of(runner, whole[18]), RunResult)


@pytest.mark.parametrize("version", VERSIONS)
async def test_files_that_ask_for_all_memory_end_at_the_limit(runner: ChildRunner, version: int) -> None:
    """The number of qubits in the header of the circuit, which is made before anything else of it is read."""
    data = bytearray(base64.b64decode(as_qpy(QuantumCircuit(1, 1), version)))
    place = data.index(b"\x00\x00\x00\x01\x00\x00\x00\x01", HEADER_BYTES + 4)
    data[place : place + 4] = b"\x0f\xff\xff\xff"
    outcome = await outcome_of(runner, bytes(data))
    assert isinstance(outcome, (MemoryLimitExceeded, ProgramInvalid, ProgramTooLarge))
    assert isinstance(await outcome_of(runner, base64.b64decode(as_qpy(circuit(), version))), RunResult)


async def test_limit_is_the_systems(runner: ChildRunner) -> None:
    await runner.open()
    space = next(line for line in read_proc(runner, "limits").splitlines() if line.startswith("Max address space"))
    assert int(space.split()[3]) <= MAX_BYTES
