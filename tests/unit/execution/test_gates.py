"""Each row of the table of gates is what Qiskit, Aer and stim make of the gate of that name."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import stim
from qiskit.circuit import Gate as QiskitGate
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import MCPhaseGate, MCXGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Operator, random_unitary
from qiskit_aer import AerSimulator
from qiskit_aer.aererror import AerError
from qiskit_qasm3_import import converter

from ketline.domain.circuits.gates import GATE_TABLE, Gate, Origin, applied_by, gates_from
from ketline.domain.circuits.method import Method
from ketline.execution.circuit.library import class_of
from ketline.execution.drawing.labels import gate_label
from ketline.execution.frontend.unroller.gates import BUILTIN_GATES, FURTHER_GATES, STANDARD_GATES

LIBRARY = get_standard_gate_name_mapping()
ANGLES = (0.7, -1.1, 2.3, 0.4)
MATRIX = random_unitary(8, seed=1).data
OF_ANY_SIZE: dict[str, Any] = {"mcphase": MCPhaseGate(0.7, 3), "mcx": MCXGate(3), "unitary": UnitaryGate(MATRIX)}
AERS_METHODS = [Method.STATEVECTOR, Method.DENSITY_MATRIX, Method.MATRIX_PRODUCT_STATE, Method.STABILIZER]
IDS = [gate.name for gate in GATE_TABLE]


def qiskits(gate: Gate) -> Any:
    """The gate with `ANGLES`, of the class that front ends call."""
    if gate.name in OF_ANY_SIZE:
        return OF_ANY_SIZE[gate.name]
    kind = class_of(gate) or LIBRARY[gate.qiskit_name].base_class  # no class for the identity
    return kind(*ANGLES[: gate.parameters])


def matrix_of(gate: Gate) -> Any:
    parameters, qubits = ANGLES[: gate.parameters], qiskits(gate).num_qubits
    return MATRIX if gate.unitary is None else np.array(gate.matrix(*parameters, qubits=qubits))


def test_names_are_those_that_qiskit_and_its_importer_know() -> None:
    """Those of stdgates.inc in its order, since the first that clashes with a program's name is reported."""
    assert len(set(IDS)) == len(IDS)
    assert [gate.name for gate in gates_from(Origin.STANDARD)] == list(converter._STDGATES)
    library = {name for name, gate in LIBRARY.items() if isinstance(gate, QiskitGate) and gate.num_qubits}
    assert {gate.name for gate in gates_from(Origin.QISKIT)} == library - converter._STDGATES.keys()
    assert [gate.name for gate in gates_from(Origin.LOWERED)] == list(OF_ANY_SIZE)


def test_front_end_calls_the_gates_of_the_importer() -> None:
    for name, (kind, parameters, qubits) in converter._STDGATES.items():
        gate = STANDARD_GATES[name]
        assert (gate.parameters, gate.qubits) == (parameters, qubits)
        assert gate.build is (None if name == "id" else kind)
    assert BUILTIN_GATES.keys() == {"U"}
    assert FURTHER_GATES.keys().isdisjoint(STANDARD_GATES)


@pytest.mark.parametrize("gate", GATE_TABLE, ids=IDS)
def test_matrix_is_qiskits(gate: Gate) -> None:
    expected = qiskits(gate)
    assert gate.qubits in (None, expected.num_qubits)
    assert gate.parameters == len(expected.params)
    np.testing.assert_allclose(matrix_of(gate), Operator(expected).data, atol=1e-12)


@pytest.mark.parametrize("gate", GATE_TABLE, ids=IDS)
def test_steps_of_stim_are_its_matrix(gate: Gate) -> None:
    assert bool(gate.stim) == (Method.STIM in gate.methods)
    if not gate.stim:
        return
    text = "\n".join(f"{step} {' '.join(map(str, operands))}" for step, operands in gate.stim)
    found = stim.Circuit(text).to_tableau().to_unitary_matrix(endian="little")
    assert math.isclose(abs(np.vdot(found, matrix_of(gate))), 1 << (gate.qubits or 0), rel_tol=1e-6), "up to a phase"


def rank_across(matrix: Any, qubits: int, left: Sequence[int]) -> int:
    """The operator Schmidt rank of a matrix across the cut between `left` and the other qubits."""
    right = [qubit for qubit in range(qubits) if qubit not in left]
    row, column = ([qubits - 1 - qubit for qubit in side] for side in (left, right))
    axes = [*row, *(qubits + axis for axis in row), *column, *(qubits + axis for axis in column)]
    tensor = matrix.reshape((2,) * 2 * qubits).transpose(axes)
    return int(np.linalg.matrix_rank(tensor.reshape(4 ** len(left), -1), tol=1e-9))


@pytest.mark.parametrize("gate", [gate for gate in GATE_TABLE if gate.methods], ids=lambda gate: gate.name)
def test_rank_of_two_is_that_of_the_matrix(gate: Gate) -> None:
    """What bounds the bonds of a matrix product state; of gates that lowering leaves."""
    matrix, qubits = matrix_of(gate), qiskits(gate).num_qubits
    cuts = [left for size in range(1, qubits) for left in combinations(range(qubits), size)]
    assert gate.rank_two == (bool(cuts) and all(rank_across(matrix, qubits, left) == 2 for left in cuts))


@pytest.mark.parametrize("method", AERS_METHODS)
def test_a_method_applies_what_aer_takes_by_it(method: Method) -> None:
    aer = AerSimulator(method=method.value)
    # Lowering leaves identities out, and in circuits gates have Qiskit's names.
    rows = [gate for gate in GATE_TABLE if gate.name == gate.qiskit_name != "id"]
    assert {gate.name for gate in rows if is_taken(aer, qiskits(gate))} == applied_by(method)


def is_taken(aer: Any, gate: Any) -> bool:
    circuit = QuantumCircuit(gate.num_qubits, 1)
    circuit.append(gate, range(gate.num_qubits))
    circuit.measure(0, 0)
    try:
        return bool(aer.run(circuit, shots=1).result().success)
    except AerError:
        return False


def test_every_gate_that_some_method_applies_is_left_by_lowering() -> None:
    """Lowering keeps the gates of the statevector, and makes those that other methods lack of those they have."""
    assert all(
        gate.name == gate.qiskit_name and Method.STATEVECTOR in gate.methods for gate in GATE_TABLE if gate.methods
    )


def test_label_is_the_name_in_capitals_or_its_own() -> None:
    assert [gate_label(name) for name in ("cx", "sdg", "sx", "sxdg", "tdg", "unitary")] == [
        *("CX", "S†", "√X", "√X†", "T†", "unitary")
    ]
