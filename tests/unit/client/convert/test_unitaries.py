"""Matrices become calls of standard gates with the same matrix, its global phase included."""

import re
from typing import Any

import numpy as np
import pytest
from scipy.stats import unitary_group

from ketline.client import CircuitNotConvertible
from ketline.client.convert.definitions import DEFINITIONS
from ketline.client.convert.unitaries import unitary_calls
from ketline.client.convert.writer import ProgramWriter
from tests.unit.client.convert.comparison import unitary_of

RANDOM = np.random.default_rng(7)


def _written(matrix: Any, controls: int = 0) -> Any:
    qubits = int(np.log2(len(matrix)))
    writer = ProgramWriter()
    names = writer.qubits("q", qubits + controls)
    for call in unitary_calls(matrix, names[controls:]):
        writer.call(call.controlled(names[:controls], [True] * controls))
    return writer.program()


@pytest.mark.parametrize("qubits", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "make",
    [
        lambda size: unitary_group.rvs(size, random_state=1),
        lambda size: np.diag(np.exp(1j * np.arange(size))),
        lambda size: np.eye(size)[np.random.default_rng(2).permutation(size)],
        lambda size: np.kron(np.eye(size // 2), unitary_group.rvs(2, random_state=3)),
        lambda size: np.kron(unitary_group.rvs(2, random_state=3), np.eye(size // 2)),
        lambda size: 1j * np.eye(size),
    ],
    ids=["random", "diagonal", "permutation", "last qubit", "first qubit", "phase"],
)
def test_matrix_is_exact(qubits: int, make: Any) -> None:
    matrix = make(2**qubits)
    assert np.allclose(unitary_of(_written(matrix)), matrix, atol=1e-9)


def test_controlled_matrix_is_exact() -> None:
    matrix = unitary_group.rvs(4, random_state=4)
    expected = np.eye(8, dtype=complex)
    expected[4:, 4:] = matrix
    assert np.allclose(unitary_of(_written(matrix, controls=1)), expected, atol=1e-9)


def test_clifford_gate_of_one_qubit_stays_one() -> None:
    words = set(re.findall(r"^(\w+) q", _written(np.array([[1, -1], [1, 1]]) / np.sqrt(2)).text, re.MULTILINE))
    assert words <= {"h", "s", "sdg", "x", "y", "z", "sx"}


def test_each_definition_is_a_unitary_gate_of_its_name() -> None:
    for name, text in DEFINITIONS.items():
        assert re.match(rf"gate {name}\b", text)


@pytest.mark.parametrize(
    ("matrix", "qubits"), [(np.array([[1, 1], [0, 1]]), 1), (np.eye(4), 1), (np.eye(512), 9)], ids=str
)
def test_what_is_no_gate_is_rejected(matrix: Any, qubits: int) -> None:
    with pytest.raises(CircuitNotConvertible, match=r"unitary|too large"):
        unitary_calls(matrix, [f"q[{index}]" for index in range(qubits)])
