"""Channels one after another and side by side, compared with products of Qiskit's superoperators."""

import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SuperOp
from qiskit_aer.noise import NoiseModel, QuantumError

from ketline.execution.simulators.channels import Channel, Misreading
from ketline.execution.simulators.channels.aer_format import layer_of
from ketline.execution.simulators.channels.channel import beside, operators_of
from ketline.execution.simulators.channels.model import model_of
from tests.noise import random_error, random_pauli_error


def read(error: Any) -> Channel:
    """Aer's error as Ketline reads it."""
    name = "x" if error.num_qubits == 1 else "cx"
    model = NoiseModel()
    model.add_all_qubit_quantum_error(error, name)
    channel = layer_of(model.to_dict(serializable=True)).channel(name, tuple(range(error.num_qubits)))
    assert channel is not None
    return channel


def by_rows(error: Any) -> Any:
    """Qiskit's superoperator, which takes the columns of a density matrix one after another, for its rows."""
    size = 2**error.num_qubits
    columns = SuperOp(error).data.reshape((size,) * 4)
    return columns.transpose(1, 0, 3, 2).reshape(size**2, size**2)


@pytest.mark.parametrize("seed", range(12))
def test_channel_is_what_aer_means(seed: int) -> None:
    choose = random.Random(seed)
    error = random_error(choose, 1 + seed % 2)
    np.testing.assert_allclose(read(error).superoperator, by_rows(error), atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_channels_one_after_another(seed: int) -> None:
    choose = random.Random(seed)
    make = random_error if seed % 3 else random_pauli_error
    one, other = (make(choose, 1 + seed % 2) for _ in range(2))
    both = read(one).then(read(other))
    np.testing.assert_allclose(both.superoperator, by_rows(one.compose(other)), atol=1e-9)
    assert sum(term.probability for term in both.terms) == pytest.approx(1)


def test_pauli_channels_stay_so() -> None:
    choose = random.Random(3)
    channel = read(random_pauli_error(choose, 2))
    for _ in range(5):
        channel = channel.then(read(random_pauli_error(choose, 2)))
    assert channel.pauli_probabilities is not None
    assert len(channel.terms) <= 16


def test_channels_of_many_terms_stay_small() -> None:
    choose = random.Random(4)
    channel = read(random_error(choose, 2))
    for _ in range(8):
        channel = channel.then(read(random_pauli_error(choose, 2)))
    assert len(channel.terms) <= 64
    identity = sum(operator.conj().T @ operator for operator in operators_of(channel.superoperator))
    np.testing.assert_allclose(identity, np.eye(4), atol=1e-9)


def test_channels_side_by_side() -> None:
    choose = random.Random(5)
    one, other = random_error(choose, 1), random_error(choose, 1)
    # The first factor of a tensor product is the second qubit.
    np.testing.assert_allclose(beside(read(one), read(other)).superoperator, by_rows(other.tensor(one)), atol=1e-9)


def test_misreadings_one_after_another() -> None:
    one, other = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([[0.8, 0.2], [0.05, 0.95]])
    both = one @ other
    found = Misreading(0.1, 0.3).then(Misreading(0.2, 0.05))
    assert found == pytest.approx((both[0, 1], both[1, 0]))


@pytest.mark.parametrize("operand", [0, 1])
@pytest.mark.parametrize("name", ["cx", "unitary"])
def test_error_of_two_qubits_may_touch_one_of_them(name: str, operand: int) -> None:
    reset, nothing = QuantumCircuit(2), QuantumCircuit(2)
    reset.reset(operand)
    nothing.id(operand)
    error, model = QuantumError([(reset, 0.25), (nothing, 0.75)]), NoiseModel()
    model.add_quantum_error(error, name, [3, 1])
    model.add_all_qubit_quantum_error(error, ["cz", "swap"])
    layer = layer_of(model.to_dict(serializable=True))
    for channel in (layer.channel(name, (3, 1)), layer.channel("cz", (0, 1))):
        assert channel is not None
        np.testing.assert_allclose(channel.superoperator, by_rows(error), atol=1e-9)


@pytest.mark.parametrize("name", ["break_loop", "continue_loop"])
def test_jumps_have_no_errors(name: str) -> None:
    """On one qubit or two they would else be taken for gates."""
    model = model_of({"name": "depolarizing", "one_qubit": 0.1, "two_qubit": 0.1})
    assert [model.channel(name, qubits) for qubits in ((0,), (0, 1))] == [None, None]
