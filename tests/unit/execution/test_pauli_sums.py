"""Expectation values of sums of Pauli operators in a state, compared with Qiskit's `Statevector.expectation_value`."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from ketline.execution.circuit.observables.pauli_sums import PauliSums
from tests.blocks import long_after

TOLERANCE = 1e-10


def random_state(qubits: int, seed: int) -> Any:
    """A state without symmetries: every amplitude differs from 0, and none is real."""
    parts = np.random.default_rng(seed).normal(size=(2, 1 << qubits))
    amplitudes = parts[0] + 1j * parts[1]
    return amplitudes / np.linalg.norm(amplitudes)


def random_sums(qubits: int, sums: int, terms: int, seed: int, letters: str = "IXYZ") -> list[dict[str, float]]:
    choose = Random(seed)
    return [
        {"".join(choose.choices(letters, k=qubits)): choose.uniform(-2, 2) for _ in range(terms)} for _ in range(sums)
    ]


def expected_values(amplitudes: Any, observables: Sequence[dict[str, float]]) -> list[float]:
    state = Statevector(amplitudes)
    operators = [SparsePauliOp.from_list(list(observable.items())) for observable in observables]
    return [state.expectation_value(operator).real for operator in operators]


@pytest.mark.parametrize("seed", long_after(13, range(40)))
def test_states_of_random_circuits(seed: int) -> None:
    qubits = 1 + seed % 8
    circuit = random_circuit(qubits, 6, max_operands=min(4, qubits), seed=seed)
    amplitudes = Statevector(circuit).data
    observables = random_sums(qubits, 1 + seed % 5, 1 + seed % 12, seed)
    values = PauliSums(observables, range(qubits)).values_in(amplitudes)
    assert values == pytest.approx(expected_values(amplitudes, observables), abs=TOLERANCE)


@pytest.mark.parametrize("letters", ["IXYZ", "IZ", "XY", "IY"])
@pytest.mark.parametrize("qubits", [1, 2, 5, 10, 11, 13, 15, 16, 17])
def test_states_of_any_size(qubits: int, letters: str) -> None:
    amplitudes = random_state(qubits, qubits)
    observables = random_sums(qubits, 3, 4, qubits, letters)
    values = PauliSums(observables, range(qubits)).values_in(amplitudes)
    assert values == pytest.approx(expected_values(amplitudes, observables), abs=TOLERANCE)


@pytest.mark.parametrize(
    ("qubits", "sums", "terms", "letters"),
    [(3, 20, 60, "IXYZ"), (11, 1, 1300, "IZ"), (11, 30, 50, "IXYZ"), (16, 2, 100, "IZ")],
    ids=["more terms than operators", "one mask", "many masks", "several blocks"],
)
def test_many_terms(qubits: int, sums: int, terms: int, letters: str) -> None:
    amplitudes = random_state(qubits, 1)
    observables = random_sums(qubits, sums, terms, 2, letters)
    values = PauliSums(observables, range(qubits)).values_in(amplitudes)
    assert values == pytest.approx(expected_values(amplitudes, observables), abs=TOLERANCE)


def test_sums_may_be_of_different_numbers_of_terms() -> None:
    amplitudes = random_state(3, 4)
    observables = [{"XYZ": 0.5}, {"ZII": 1.0, "IXI": -2.0, "YYI": 0.25}, {"III": 3.0}]
    values = PauliSums(observables, range(3)).values_in(amplitudes)
    assert values == pytest.approx(expected_values(amplitudes, observables), abs=TOLERANCE)


def test_sums_serve_many_states() -> None:
    observables = random_sums(4, 100, 1, 5)
    sums = PauliSums(observables, range(4))
    for seed in range(5):
        amplitudes = random_state(4, seed)
        assert sums.values_in(amplitudes) == pytest.approx(expected_values(amplitudes, observables), abs=TOLERANCE)


def test_letters_of_other_qubits_are_left_out() -> None:
    """The state is that of qubits 1 and 3 of five; qubit 0 of a label is its last letter."""
    amplitudes = random_state(2, 6)
    found = PauliSums([{"IXIYI": 1.0}, {"IZIII": 2.0}], [1, 3]).values_in(amplitudes)
    assert found == pytest.approx(expected_values(amplitudes, [{"XY": 1.0}, {"ZI": 2.0}]), abs=TOLERANCE)


def test_operators_of_qiskit_are_the_same_sums() -> None:
    (operator,) = PauliSums([{"IXIYI": 1.0, "IZIII": 2.0}], [1, 3]).operators
    assert operator == SparsePauliOp.from_list([("XY", 1.0), ("ZI", 2.0)])
