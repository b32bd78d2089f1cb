"""Outcomes from indices, and draws from distributions and states."""

from collections.abc import Sequence

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.random import random_circuit

from ketline.domain.devices.backend import Engine
from ketline.execution.circuit.operations import Step, depth_of, final_measurements, steps_of
from ketline.execution.simulators.bitstrings import KeyFormat
from ketline.execution.simulators.sampling import distribution_of, draws_exactly, numbers_of, outcomes_of, source_of
from ketline.execution.simulators.states.aer_state import aer_final_state
from ketline.execution.simulators.states.lightning_state import load_lightning
from ketline.execution.simulators.states.pure_state import PureState
from tests.blocks import long_after


@pytest.mark.parametrize("seed", long_after(8, range(20)))
def test_depth_is_qiskits(seed: int) -> None:
    circuit = random_circuit(5, 8, measure=seed % 2 == 0, reset=True, seed=seed)
    assert depth_of(steps_of(circuit), circuit.num_qubits, circuit.num_clbits) == circuit.depth()


def test_depth_follows_bits_that_are_written_again() -> None:
    circuit = QuantumCircuit(3, 1)
    for qubit in range(3):
        circuit.measure(qubit, 0)
    assert depth_of(steps_of(circuit), 3, 1) == circuit.depth() == 3


def test_depth_of_nothing_is_none() -> None:
    assert depth_of([], 0, 0) == 0


def test_measurements_are_final_where_nothing_follows() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.measure(0, 2)
    circuit.h(1)
    circuit.measure(1, 0)
    assert final_measurements(steps_of(circuit)) == [(0, 2), (1, 0)]
    circuit.cx(2, 1)
    assert final_measurements(steps_of(circuit)) is None


def test_measurements_into_one_bit_are_not_final() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.measure([0, 1], [0, 0])
    assert final_measurements(steps_of(circuit)) is None


@pytest.mark.parametrize("highest", [3, 61, 62, 63, 64, 200])
def test_bits_of_an_index_go_to_their_places(highest: int) -> None:
    measured = [(0, highest), (1, 0), (2, 2)]
    assert outcomes_of(np.array([0, 1, 2, 5, 7]), measured).tolist() == [
        0,
        1 << highest,
        1,
        (1 << highest) | 4,
        (1 << highest) | 5,
    ]


def test_bits_in_order_are_the_index() -> None:
    assert outcomes_of(np.array([0, 6]), [(2, 0), (0, 1), (1, 2)]).tolist() == [0, 6]


def test_outcome_without_probability_is_never_drawn() -> None:
    distribution = distribution_of([0.5, 0, 1e-17, 0.5], [(0, 0), (1, 1)])
    counts, _ = distribution.draw(1000, 1, KeyFormat([2]), memory=False)
    assert set(counts) == {"00", "11"}


@pytest.mark.parametrize("qubits", [4, 12])  # many shots for the outcomes there are, and few
@pytest.mark.parametrize("engine", [Engine.AER, Engine.LIGHTNING])
def test_state_gives_the_same_shots_for_the_same_seed(qubits: int, engine: Engine) -> None:
    circuit = QuantumCircuit(qubits, qubits)
    circuit.h(range(qubits))
    measured = [(qubit, qubit) for qubit in range(qubits)]

    def drawn(seed: int | None) -> object:
        state = final_state(steps_of(circuit), qubits, engine)
        source = source_of(state, measured, exact=draws_exactly(measured, 100))
        return source.draw(100, seed, KeyFormat([qubits]), memory=True)

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert drawn(None) != drawn(None)


@pytest.mark.parametrize("engine", [Engine.AER, Engine.LIGHTNING])
@pytest.mark.parametrize("shots", [20, 4000])  # by the state's own sampling, and from the probabilities
def test_shots_in_order_are_those_of_the_counts(shots: int, engine: Engine) -> None:
    circuit = QuantumCircuit(8, 2)
    circuit.h([1, 6])
    circuit.cx(1, range(2, 6))
    state = final_state(steps_of(circuit), 8, engine)
    measured = [(1, 1), (6, 0), (2, 2), (3, 3), (4, 4), (5, 5), (0, 6), (7, 7)]
    counts, memory = source_of(state, measured, exact=draws_exactly(measured, shots)).draw(
        shots, 3, KeyFormat([8]), memory=True
    )
    assert memory is not None
    assert {key: list(memory).count(key) for key in counts} == counts
    assert sum(counts.values()) == shots
    assert set(counts) == {"00000000", "00000001", "00111110", "00111111"}
    assert list(memory) != sorted(memory)


def final_state(steps: Sequence[Step], qubits: int, engine: Engine) -> PureState:
    if engine is Engine.AER:
        return aer_final_state(steps, qubits)
    lightning = load_lightning()
    assert lightning is not None
    return lightning.final_state(steps, qubits)


@pytest.mark.parametrize("width", [1, 8, 63, 64, 65, 200])
def test_rows_of_bits_are_numbers(width: int) -> None:
    rows = np.zeros((3, width), dtype=np.bool_)
    rows[1, width - 1] = rows[2, 0] = True
    assert numbers_of(rows).tolist() == [0, 1 << (width - 1), 1]
