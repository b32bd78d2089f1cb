"""Circuits for which Aer alone would attach errors wrongly: labels and `while` loops."""

import re
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


# The second bit is 1 after an odd number of iterations.
UNTIL_ONE = "while (c[0] == 0) { id q[0]; x q[1]; c[0] = measure q[0]; } c[1] = measure q[1];"


def repeating(qubits: int) -> str:
    """The loop among so many qubits that are measured."""
    return f"qubit[{qubits}] q; bit[2] c; bit[{qubits}] r; {UNTIL_ONE} r = measure q;"


@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.DENSITY_MATRIX])
def test_each_iteration_has_errors_of_its_own(executor: Executor, method: Method) -> None:
    result = run(executor, f"qubit[2] q; bit[2] c; {UNTIL_ONE}", flip("id", 0.5), method)
    assert result.profile.method == Method.DENSITY_MATRIX
    # The number of iterations n has the probability 0.5^n, so it is odd with 2/3.
    assert_drawn_from(result.counts, {"11": 2 / 3, "01": 1 / 3})


@pytest.mark.parametrize("command", [Command.RUN, Command.INSPECT])
@pytest.mark.parametrize(
    ("qubits", "method", "words"),
    [
        (
            2,
            Method.STATEVECTOR,
            "'statevector' has the same errors in each iteration of a 'while' loop.*density_matrix",
        ),
        (2, Method.STABILIZER, "'stabilizer' has the same errors in each iteration of a 'while' loop.*density_matrix"),
        (14, Method.AUTOMATIC, "'while' loop with errors needs a density matrix.*'for' loop"),
    ],
)
def test_trajectories_of_while_loops_are_refused(
    executor: Executor, qubits: int, method: Method, words: str, command: Command
) -> None:
    outcome: Any = executor.respond(task(repeating(qubits), flip("id", 0.5), method, 100, command)).outcome
    failure = outcome.failure
    assert (failure.code, bool(re.search(words, failure.message))) == ("unsupported", True), failure.message


@pytest.mark.parametrize("method", TRAJECTORIES)
def test_while_loops_with_misreadings_alone_run_by_trajectories(executor: Executor, method: Method) -> None:
    """A 0 is read as 1 in each iteration anew."""
    noise = {"name": "readout", "p01": 0.5, "p10": 0}
    counts = run(executor, f"qubit[2] q; bit[2] c; {UNTIL_ONE}", noise, method).counts
    # A misread 0 ends the loop; the second bit reads 1 after an odd number, and half of the time otherwise.
    assert_drawn_from(counts, {"11": 2 / 3 + 1 / 6, "01": 1 / 6})
