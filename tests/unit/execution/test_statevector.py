"""States made gate by gate are those of Qiskit's matrices."""

import math
import random
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import MCPhaseGate, MCXGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Statevector, random_unitary

from ketline.domain.errors import MemoryLimitExceeded
from ketline.execution.circuit.operations import Step, steps_of
from ketline.execution.circuit.passes.lowered import AER_GATES
from ketline.execution.simulators.states.aer_state import aer_final_state
from ketline.execution.simulators.states.lightning_state import load_lightning
from ketline.execution.simulators.states.pure_state import PureState

ANGLES = (0.7, -1.1, 2.3, 0.4)
OF_ANY_SIZE = {
    "mcphase": MCPhaseGate(0.9, 3),
    "mcx": MCXGate(3),
    "unitary": UnitaryGate(random_unitary(8, seed=1)),
}


def gate_named(name: str) -> Any:
    if name in OF_ANY_SIZE:
        return OF_ANY_SIZE[name]
    gate: Any = get_standard_gate_name_mapping()[name]
    return type(gate)(*ANGLES[: len(gate.params)]) if gate.params else gate


def prepared(qubits: int) -> QuantumCircuit:
    """A circuit into a state of which no two amplitudes are equal."""
    circuit, choices = QuantumCircuit(qubits), random.Random(qubits)
    for _ in range(2):
        for qubit in range(qubits):
            circuit.u(*(choices.uniform(0.3, 2.8) for _ in range(3)), qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def lightning_final_state(steps: Sequence[Step], qubits: int) -> PureState:
    lightning = load_lightning()
    assert lightning is not None, "pennylane-lightning is not installed, or its gates differ on this machine"
    return lightning.final_state(steps, qubits)


FinalState = Callable[[Sequence[Step], int], PureState]
on_each_engine = pytest.mark.parametrize("final_state", [aer_final_state, lightning_final_state])


def overlap(circuit: QuantumCircuit, final_state: FinalState) -> float:
    """How much of the state gate by gate is the state by Qiskit, whatever the phase between them."""
    found = final_state(steps_of(circuit), circuit.num_qubits).amplitudes()
    return float(abs(np.vdot(Statevector(circuit).data, found)))


@on_each_engine
@pytest.mark.parametrize("name", sorted(AER_GATES))
def test_gate_does_what_its_matrix_says(name: str, final_state: FinalState) -> None:
    gate = gate_named(name)
    for operands in permutations(range(gate.num_qubits)):
        circuit = prepared(gate.num_qubits)
        circuit.append(gate, operands)
        assert math.isclose(overlap(circuit, final_state), 1, abs_tol=1e-12)
        assert overlap_without_last(circuit, final_state) < 1 - 1e-6


def overlap_without_last(circuit: QuantumCircuit, final_state: FinalState) -> float:
    """The same of the state before the last gate: close to 1 the gate would not be tested."""
    before = QuantumCircuit(circuit.num_qubits)
    for instruction in circuit.data[:-1]:
        before.append(instruction)
    found = final_state(steps_of(before), before.num_qubits).amplitudes()
    return float(abs(np.vdot(Statevector(circuit).data, found)))


@pytest.mark.parametrize("name", sorted(AER_GATES))
def test_gate_on_any_wires_of_a_wider_state(name: str) -> None:
    """Lightning has other loops for low and high wires, and for states that are wider than a vector register."""
    gate, choices = gate_named(name), random.Random(name)
    for qubits in range(gate.num_qubits, 9):
        for _ in range(4):
            circuit = prepared(qubits)
            circuit.append(gate, choices.sample(range(qubits), gate.num_qubits))
            assert math.isclose(overlap(circuit, lightning_final_state), 1, abs_tol=1e-12)


@on_each_engine
@pytest.mark.parametrize("qubits", [5, 14, 15, 16])  # from 14 on Aer joins gates, from 16 on runs are multiplied
def test_random_circuit_ends_in_its_state(qubits: int, final_state: FinalState) -> None:
    circuit, choices = prepared(qubits), random.Random(qubits)
    for name in choices.choices(sorted(AER_GATES), k=100):
        gate = gate_named(name)
        circuit.append(gate, choices.sample(range(qubits), gate.num_qubits))
    assert math.isclose(overlap(circuit, final_state), 1, abs_tol=1e-10)


@on_each_engine
def test_bit_of_an_index_is_the_qubit_of_that_number(final_state: FinalState) -> None:
    circuit = QuantumCircuit(3)
    circuit.x(1)
    state = final_state(steps_of(circuit), 3)
    assert state.probabilities([0, 1, 2]).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert state.probabilities([1, 2]).tolist() == [0, 1, 0, 0]
    indices, counts = state.sampler([1, 2]).sample(10, 7)
    assert (indices.tolist(), list(counts)) == ([1], [10])


@on_each_engine
def test_no_room_for_a_state_is_the_memory_limit(final_state: FinalState) -> None:
    with pytest.raises(MemoryLimitExceeded):
        final_state([], 45)
