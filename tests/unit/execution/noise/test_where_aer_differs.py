"""Circuits for which Aer alone would attach errors wrongly: labels."""

from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import CXGate, UnitaryGate, XGate

from ketline.domain.spec import Method, ProgramFormat, RunOptions, TaskSpec
from ketline.domain.task import RunResult
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol import Command, Request
from tests.circuits import as_qpy
from tests.noise import assert_drawn_from

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
TRAJECTORIES = [Method.STATEVECTOR, Method.STABILIZER]
METHODS = [Method.DENSITY_MATRIX, *TRAJECTORIES]
MIXED = {"name": "depolarizing", "one_qubit": 1, "two_qubit": 1}
UNIFORM = dict.fromkeys(("00", "01", "10", "11"), 0.25)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=64 << 20))


def task(program: Any, noise: Any, method: Method, shots: int = 2000, command: Command = Command.RUN) -> Request:
    """A task of OpenQASM 3 without its head, or of a circuit of Qiskit's."""
    is_text = isinstance(program, str)
    format_ = ProgramFormat.OPENQASM3 if is_text else ProgramFormat.QPY
    options = RunOptions(seed=3, method=method, noise=noise, format=format_)
    return Request(
        TaskSpec(circuit=HEAD + program if is_text else as_qpy(program), shots=shots, options=options), command
    )


def run(executor: Executor, *arguments: Any) -> RunResult:
    return executor.run(task(*arguments))


def flip(name: str, probability: float = 1.0, width: int = 1) -> dict[str, Any]:
    """A model by which X follows each operation of a name, on all of its qubits."""
    terms = [[{"name": gate, "qubits": [qubit]} for qubit in range(width)] for gate in ("x", "id")]
    error = {"type": "qerror", "operations": [name], "instructions": terms}
    return {"model": {"errors": [error | {"probabilities": [probability, 1 - probability]}]}}


@pytest.mark.parametrize("method", [Method.DENSITY_MATRIX, Method.STATEVECTOR])
@pytest.mark.parametrize(
    "body",
    [
        "pow(0.5) @ cx q[0], q[1];",
        "pow(2) @ cx q[0], q[1];",
        "gate own a, b { pow(0.5) @ cx a, b; } own q[0], q[1];",
        "x q[0]; for int i in [0:1] { pow(0.5) @ cx q[0], q[1]; }",
    ],
)
def test_powers_of_gates_have_errors(executor: Executor, body: str, method: Method) -> None:
    counts = run(executor, f"qubit[2] q; bit[2] c; {body} c = measure q;", MIXED, method).counts
    assert_drawn_from(counts, UNIFORM)


def labelled(*operations: Any, in_a_branch: bool = False) -> QuantumCircuit:
    """A circuit of these operations on the first of two qubits, or both."""
    circuit = QuantumCircuit(2, 2)
    for operation in operations:
        if in_a_branch:
            with circuit.if_test((circuit.clbits[0], 0)):
                circuit.append(operation, range(operation.num_qubits))
        else:
            circuit.append(operation, range(operation.num_qubits))
    circuit.measure([0, 1], [0, 1])
    return circuit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("in_a_branch", [False, True])
def test_gates_with_labels_have_errors(executor: Executor, method: Method, in_a_branch: bool) -> None:
    circuit = labelled(XGate(label="foo"), in_a_branch=in_a_branch)
    assert list(run(executor, circuit, flip("x"), method).counts) == ["00"]
    both = labelled(CXGate(label="foo"), in_a_branch=in_a_branch)
    assert list(run(executor, both, flip("cx", width=2), method).counts) == ["11"]


@pytest.mark.parametrize("method", [Method.DENSITY_MATRIX, Method.STATEVECTOR])
def test_unitaries_with_labels_have_errors(executor: Executor, method: Method) -> None:
    circuit = labelled(UnitaryGate(np.eye(4)[::-1], label="foo"))
    assert list(run(executor, circuit, flip("unitary", width=2), method).counts) == ["00"]
