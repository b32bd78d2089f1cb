"""Circuits without resets have the same expectation values as with them, by Qiskit's density matrices."""

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import DensityMatrix, SparsePauliOp, Statevector, random_pauli_list

from ketline.qiskit.resets import without_resets
from tests.blocks import long_after


def random_circuit(seed: int) -> QuantumCircuit:
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    for _ in range(12):
        first, second = random.permutation(3)[:2].tolist()
        kind = int(random.integers(4))
        if kind == 0:
            circuit.u(*random.uniform(0, 6, 3), first)
        elif kind == 1:
            circuit.cx(first, second)
        elif kind == 2:
            circuit.reset(first)
        else:
            circuit.barrier()
    return circuit


@pytest.mark.parametrize("seed", long_after(8, range(25)))
def test_expectation_values_are_those_of_the_density_matrix(seed: int) -> None:
    circuit = random_circuit(seed)
    labels = random_pauli_list(3, 10, phase=False, seed=seed).to_labels()
    pub = without_resets(EstimatorPub.coerce((circuit, labels), 0.0))
    if circuit.num_qubits < pub.circuit.num_qubits:
        assert "reset" not in pub.circuit.count_ops()
    pub.circuit.data = [one for one in pub.circuit.data if one.name != "reset"]  # of qubits that are zero
    state, mixed = Statevector(pub.circuit), DensityMatrix.from_instruction(circuit)
    for ours, theirs in zip(pub.observables.ravel(), labels, strict=True):
        found = state.expectation_value(SparsePauliOp.from_list(list(ours.items())))
        assert found == pytest.approx(mixed.expectation_value(SparsePauliOp(theirs)), abs=1e-10)


def test_circuits_that_only_begin_with_resets_or_branch_stay_as_they_are() -> None:
    beginning = QuantumCircuit(1, 1)
    beginning.reset(0)
    beginning.barrier()
    beginning.reset(0)
    beginning.h(0)
    branching = QuantumCircuit(1, 1)
    branching.h(0)
    branching.reset(0)
    with branching.if_test((0, 1)):
        branching.x(0)
    for circuit in (QuantumCircuit(1), beginning, branching):
        assert without_resets(EstimatorPub.coerce((circuit, "Z"), 0.0)).circuit == circuit


def test_parameters_keep_their_order() -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("b"), 0)
    circuit.reset(0)
    circuit.rx(Parameter("a"), 0)
    pub = without_resets(EstimatorPub.coerce((circuit, "Z", [[1.0, 2.0]]), 0.1))
    assert list(pub.circuit.parameters) == list(circuit.parameters)
    assert (pub.shape, pub.precision, pub.circuit.num_qubits) == ((1,), 0.1, 2)
