"""Circuits for which Aer alone would attach errors wrongly: labels, `while` loops, and bits that are written twice."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import CXGate, UnitaryGate, XGate
from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from tests.blocks import long_after
from tests.circuits import as_qpy
from tests.noise import assert_drawn_from, exact_distribution

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
def test_trajectories_of_while_loops_are_rejected(
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


P01, P10 = 0.1, 0.2
READOUT = {"name": "readout", "p01": P01, "p10": P10}


def misread(probability: float) -> dict[str, float]:
    """The distribution of a bit that is 1 with a probability before it is read."""
    one = probability * (1 - P10) + (1 - probability) * P01
    return {"0": 1 - one, "1": one}


def after_a_loop() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 1)
    with circuit.for_loop(range(3)):
        circuit.x(1)
    circuit.measure([0, 1], [0, 0])
    return circuit


def in_a_loop() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    with circuit.for_loop(range(3)):
        circuit.measure(0, 0)
    return circuit


CLIFFORD = [*METHODS, Method.STIM]
WRITTEN_TWICE: dict[str, tuple[Any, dict[str, float], list[Method]]] = {
    "by two qubits": ("qubit[2] q; bit c; x q[1]; c = measure q[0]; c = measure q[1];", misread(1), CLIFFORD),
    "by one qubit": ("qubit q; bit c; c = measure q; c = measure q;", misread(0), CLIFFORD),
    "by one qubit in two states": ("qubit q; bit c; c = measure q; x q; c = measure q;", misread(1), CLIFFORD),
    "a register": (
        "qubit[2] q; bit[2] c; x q[1]; c = measure q; c = measure q;",
        {one + other: p * r for one, p in misread(1).items() for other, r in misread(0).items()},
        CLIFFORD,
    ),
    "thrice": ("qubit q; bit c; x q; c = measure q; c = measure q; c = measure q;", misread(1), CLIFFORD),
    "and the qubit collapses": (
        "qubit q; bit c; ry(pi/3) q; c = measure q; ry(pi/3) q; c = measure q;",
        misread(3 / 8),
        [Method.DENSITY_MATRIX, Method.STATEVECTOR],
    ),
    "and a branch reads it": (
        "qubit q; bit c; c = measure q; if (c == 1) { x q; } c = measure q; c = measure q;",
        misread(P01),
        METHODS,
    ),
    "after a loop": (after_a_loop(), misread(1), METHODS),
    "in a loop": (in_a_loop(), misread(1), METHODS),
    "and assigned before": (
        "qubit[2] q; bit c; bit d; x q[1]; d = measure q[1]; c = d; "
        "c = measure q[1]; d = measure q[0]; d = measure q[0];",
        {one + other: p * r for one, p in misread(0).items() for other, r in misread(1).items()},
        [Method.STATEVECTOR],
    ),
}


@pytest.mark.parametrize(
    ("name", "method"),
    long_after(12, [(name, method) for name, (_, _, methods) in WRITTEN_TWICE.items() for method in methods]),
)
def test_bit_that_is_written_twice_is_misread_once(executor: Executor, name: str, method: Method) -> None:
    program, probabilities, _ = WRITTEN_TWICE[name]
    assert_drawn_from(run(executor, program, READOUT, method, 8000).counts, probabilities)


@pytest.mark.parametrize("method", METHODS)
def test_errors_of_overwritten_measurements_remain(executor: Executor, method: Method) -> None:
    program = "qubit q; bit c; c = measure q; c = measure q;"
    assert_drawn_from(run(executor, program, [flip("measure"), READOUT], method, 8000).counts, misread(0))
    assert_drawn_from(run(executor, program, [flip("measure", 0.5), READOUT], method, 8000).counts, misread(0.5))


@pytest.mark.parametrize("method", METHODS)
def test_each_shot_has_the_bits_of_the_program_only(executor: Executor, method: Method) -> None:
    options = RunOptions(seed=3, method=method, noise=READOUT, memory=True)
    circuit = HEAD + "qubit[2] q; bit[2] c; x q; c = measure q; c = measure q;"
    result = executor.run(Request(TaskSpec(circuit=circuit, shots=50, options=options)))
    assert result.memory is not None
    assert Counter(result.memory) == result.counts
    assert result.counts.keys() <= UNIFORM.keys()


@pytest.mark.parametrize("probability", [0.0155, 0.0222, 0.0937, 0.1886])
def test_equally_likely_terms_have_trajectories_beside_kraus_operators(executor: Executor, probability: float) -> None:
    """Aer 0.18 finds no Kraus operators for one depolarizing error on two qubits in twenty, these among them."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(probability, 2), "cx")
    model.add_quantum_error(amplitude_damping_error(0.1), "t", [0])
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.t(0)
    circuit.cx(0, 1)
    expected = exact_distribution(circuit, model)
    circuit.measure([0, 1], [0, 1])
    noise = {"model": model.to_dict(serializable=True)}
    result = run(executor, circuit, noise, Method.STATEVECTOR, 4000)
    assert_drawn_from(result.counts, expected)
