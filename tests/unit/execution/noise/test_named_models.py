"""The named models, on circuits of which plain numpy gives the exact distribution by sums over Kraus operators."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import exp, sqrt
from typing import Any

import numpy as np
import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.channels.named import relaxation
from tests.noise import assert_drawn_from

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; '
PROGRAM = HEAD + "h q[0]; t q[0]; cx q[0], q[1]; h q[0]; h q[1]; c = measure q;"
CLIFFORD = HEAD + "h q[0]; s q[0]; cx q[0], q[1]; h q[0]; h q[1]; c = measure q;"

PAULIS = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
H = np.array([[1, 1], [1, -1]]) / sqrt(2)
CX = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]])


def on(matrix: Any, qubit: int) -> Any:
    """A matrix on one of two qubits; bit k of an index is qubit k."""
    return np.kron(np.eye(2), matrix) if qubit == 0 else np.kron(matrix, np.eye(2))


def depolarized(p: float, qubits: int) -> Sequence[Any]:
    strings = list(product(PAULIS, repeat=qubits))
    weights = [p / 4**qubits + (1 - p if number == 0 else 0) for number in range(len(strings))]
    matrices = [string[0] if qubits == 1 else np.kron(*string) for string in strings]
    return [sqrt(weight) * matrix for weight, matrix in zip(weights, matrices, strict=True)]


def relaxed(t1: float, t2: float, time: float) -> Sequence[Any]:
    """Amplitude damping, and dephasing for what T2 is shorter than twice T1."""
    lost = 1 - exp(-time / t1)
    rest = exp(-2 * time / t2 + time / t1)
    damping = [np.diag([1, sqrt(1 - lost)]), np.array([[0, sqrt(lost)], [0, 0]])]
    dephasing = [np.diag([1, sqrt(rest)]), np.diag([0, sqrt(1 - rest)])]
    return [second @ first for first in damping for second in dephasing]


def distribution(turn: Any, one_qubit: Sequence[Any], two_qubit: Sequence[Any], read: Any) -> Mapping[str, float]:
    """Of the program with `turn` for its second gate."""
    state = np.zeros((4, 4), dtype=complex)
    state[0, 0] = 1
    for qubit, gate in ((0, H), (0, turn), (None, CX), (0, H), (1, H)):
        matrix = gate if qubit is None else on(gate, qubit)
        state = matrix @ state @ matrix.conj().T
        errors = two_qubit if qubit is None else [on(one, qubit) for one in one_qubit]
        state = sum(error @ state @ error.conj().T for error in errors)
    probabilities = np.kron(read, read).T @ np.real(np.diag(state))
    return {format(index, "02b"): float(value) for index, value in enumerate(probabilities)}


def counts(executor: Executor, noise: Any, method: Method, program: str = PROGRAM) -> Mapping[str, int]:
    options = RunOptions(seed=3, method=method, noise=noise)
    return executor.run(Request(TaskSpec(circuit=program, shots=5000, options=options))).counts


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


NOTHING = [np.eye(4)]
T = np.diag([1, np.exp(0.25j * np.pi)])
S = np.diag([1, 1j])
READ = np.array([[0.9, 0.1], [0.25, 0.75]])
SHORT = relaxed(50.0, 40.0, 10.0)
LONG = relaxed(50.0, 90.0, 10.0)
CASES: Mapping[str, tuple[Any, Sequence[Any], Sequence[Any], Any]] = {
    "depolarizing": (
        {"name": "depolarizing", "one_qubit": 0.1, "two_qubit": 0.3},
        depolarized(0.1, 1),
        depolarized(0.3, 2),
        np.eye(2),
    ),
    "readout": ({"name": "readout", "p01": 0.1, "p10": 0.25}, [np.eye(2)], NOTHING, READ),
    "T2 below T1": (
        {"name": "thermal_relaxation", "t1_us": 50, "t2_us": 40, "one_qubit_ns": 10_000, "two_qubit_ns": 10_000},
        SHORT,
        [np.kron(one, other) for one in SHORT for other in SHORT],
        np.eye(2),
    ),
    "T2 above T1": (
        {"name": "thermal_relaxation", "t1_us": 50, "t2_us": 90, "one_qubit_ns": 10_000, "two_qubit_ns": 10_000},
        LONG,
        [np.kron(one, other) for one in LONG for other in LONG],
        np.eye(2),
    ),
    "several": (
        [
            {"name": "depolarizing", "one_qubit": 0.1},
            {"name": "readout", "p01": 0.1, "p10": 0.25},
            {"name": "thermal_relaxation", "t1_us": 50, "t2_us": 90, "one_qubit_ns": 10_000},
        ],
        [second @ first for first in depolarized(0.1, 1) for second in LONG],
        NOTHING,
        READ,
    ),
}


@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX])
@pytest.mark.parametrize("case", CASES)
def test_distribution_is_that_of_the_kraus_operators(executor: Executor, case: str, method: Method) -> None:
    noise, one_qubit, two_qubit, read = CASES[case]
    assert_drawn_from(counts(executor, noise, method), distribution(T, one_qubit, two_qubit, read))


@pytest.mark.parametrize(
    ("case", "method"),
    [
        ("depolarizing", Method.STIM),
        ("depolarizing", Method.STABILIZER),
        ("readout", Method.STIM),
        ("readout", Method.STABILIZER),
        ("T2 below T1", Method.STABILIZER),
    ],
)
def test_clifford_circuits_have_the_same_distribution(executor: Executor, case: str, method: Method) -> None:
    noise, one_qubit, two_qubit, read = CASES[case]
    assert_drawn_from(counts(executor, noise, method, CLIFFORD), distribution(S, one_qubit, two_qubit, read))


@pytest.mark.parametrize(("t1", "t2"), [(50.0, 1.0), (50.0, 40.0), (50.0, 50.0), (50.0, 70.0), (50.0, 100.0)])
def test_relaxation_is_a_channel_of_that_decay(t1: float, t2: float) -> None:
    channel = relaxation(t1, t2, 10.0).superoperator
    expected = sum(np.kron(one, one.conj()) for one in relaxed(t1, t2, 10.0))
    np.testing.assert_allclose(channel, expected, atol=1e-12)
