"""A program that declares more qubits than the quota of its task is rejected once it is read, whatever the task is."""

from dataclasses import replace

import pytest

from ketline.domain.circuits.program_format import ProgramFormat, Target
from ketline.domain.errors import QubitQuotaExceeded
from ketline.domain.failures import FailureCode
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import CommandResult

# Three qubits are declared, of which one is simulated.
PROGRAM = 'include "stdgates.inc"; qubit[3] q; bit c; x q[0]; c = measure q[0];'
TURNED = 'include "stdgates.inc"; input float theta; qubit[3] q; bit c; rx(theta) q[0]; c = measure q[0];'
UNMEASURED = 'include "stdgates.inc"; qubit[3] q; h q[0];'
OPENQASM2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[1]; x q[0]; measure q[0] -> c[0];'
MESSAGE = "the program declares 3 qubits; the quota 'qubits' of its project or its owner is 2"
RUNS = {
    "counts": TaskSpec(circuit=PROGRAM, shots=10),
    "a sweep": TaskSpec(circuit=TURNED, shots=10, inputs={"theta": [0.1, 0.2]}),
    "expectation values": TaskSpec(circuit=UNMEASURED, shots=0, options=RunOptions(observables=({"IIZ": 1.0},))),
    "OpenQASM 2": TaskSpec(circuit=OPENQASM2, shots=10, options=RunOptions(format=ProgramFormat.OPENQASM2)),
    "a conversion": TaskSpec(circuit=PROGRAM, shots=0, kind=TaskKind.CONVERT, target=Target.OPENQASM2),
}


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


def outcome(executor: Executor, spec: TaskSpec, most: int, command: Command | None = None) -> CommandResult | Exception:
    usual = Command.CONVERT if spec.kind is TaskKind.CONVERT else Command.RUN
    return executor.respond(Request(replace(spec, max_qubits=most), command=command or usual)).outcome


@pytest.mark.parametrize("name", RUNS)
def test_declared_qubits_count(executor: Executor, name: str) -> None:
    rejected = outcome(executor, RUNS[name], 2)
    assert isinstance(rejected, QubitQuotaExceeded)
    assert rejected.failure.code is FailureCode.QUOTA_EXCEEDED
    assert rejected.message.removeprefix("at point 0: ") == MESSAGE
    assert isinstance(outcome(executor, RUNS[name], 3), RunResult)


def test_inspection_has_what_is_known_of_the_program(executor: Executor) -> None:
    inspection = outcome(executor, RUNS["counts"], 2, Command.INSPECT)
    assert isinstance(inspection, Inspection)
    assert inspection.failure == QubitQuotaExceeded(MESSAGE).failure
    assert (inspection.qubits, inspection.unused_qubits, inspection.method) == (1, 2, None)
    permitted = outcome(executor, RUNS["counts"], 3, Command.INSPECT)
    assert isinstance(permitted, Inspection)
    assert permitted.failure is None
