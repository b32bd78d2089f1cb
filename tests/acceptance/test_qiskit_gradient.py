"""The gradient of `ketline.qiskit` on a real service, against the gradients of qiskit-algorithms."""

from collections.abc import Iterator

import numpy as np
import pytest
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms.gradients import ParamShiftEstimatorGradient, ReverseEstimatorGradient

from ketline.client import Client
from ketline.qiskit import KetlineEstimatorGradient, KetlineProvider
from tests.acceptance.processes import running_service
from tests.forking.client import ForkServer

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """A service that all tests of this module share."""
    with running_service(tmp_path_factory.mktemp("gradient"), fork_server) as url:
        yield url


def own_circuit() -> QuantumCircuit:
    """Parameters in several gates and in expressions, and by names that no program may have."""
    odd, vector = Parameter("$θ two"), ParameterVector("x", 2)
    circuit = QuantumCircuit(3)
    circuit.h([0, 1, 2])
    circuit.rx(2 * odd + 0.1, 0)
    circuit.ry(vector[0], 1)
    circuit.rzz(odd * vector[1], 1, 2)
    circuit.rx(vector[1], 2)
    return circuit


def observable(random: np.random.Generator, qubits: int) -> SparsePauliOp:
    labels = ["".join(random.choice(list("IXYZ"), qubits)) for _ in range(4)]
    return SparsePauliOp(labels, random.uniform(-2, 2, 4))


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift"])
def test_gradients_are_those_of_the_library(url: str, method: str) -> None:
    random = np.random.default_rng(4)
    own, ansatz = own_circuit(), efficient_su2(3, reps=1)
    circuits = [own, ansatz, ansatz, own, ansatz]
    operators = [observable(random, 3) for _ in circuits]
    values = [random.uniform(-3, 3, circuit.num_parameters) for circuit in circuits]
    some = [None, None, list(ansatz.parameters)[2:5], None, None]
    with Client(url) as client:
        job = KetlineEstimatorGradient(client, gradient_method=method).run(circuits, operators, values, some)
        ours = job.result(120)
        again = KetlineProvider(client=client).retrieve_job(job.job_id()).result(120)
    theirs = ReverseEstimatorGradient().run(circuits, operators, values, some).result().gradients
    shifted = ParamShiftEstimatorGradient(StatevectorEstimator()).run(circuits[1:3], operators[1:3], values[1:3])
    assert len(job.task_ids) == 3  # each circuit by all of its parameters, and one by some
    for number, (one, other, stored) in enumerate(zip(ours.gradients, theirs, again.gradients, strict=True)):
        np.testing.assert_allclose(one, np.real(other), rtol=0, atol=1e-8, err_msg=str(number))
        np.testing.assert_array_equal(one, stored)
    np.testing.assert_allclose(ours.gradients[1], shifted.result().gradients[0], rtol=0, atol=1e-8)
    assert ours.metadata[2] == {"parameters": [one.name for one in list(ansatz.parameters)[2:5]]}


def test_one_circuit_and_one_operator(url: str) -> None:
    circuit = own_circuit()
    with Client(url) as client:
        gradient = KetlineEstimatorGradient(client)
        found = gradient.run(circuit, SparsePauliOp("ZII"), [[0.1, 0.2, 0.3]]).result(60).gradients
        assert found[0].shape == (3,)
        with pytest.raises(ValueError, match="needs an observable"):
            gradient.run([circuit], [SparsePauliOp("ZII")] * 2, [[0.1, 0.2, 0.3]])
        with pytest.raises(ValueError, match="3 parameters, not"):
            gradient.run(circuit, SparsePauliOp("ZII"), [[0.1, 0.2]])
        with pytest.raises(ValueError, match="Circuit 0 has no parameters"):
            gradient.run(QuantumCircuit(1), SparsePauliOp("Z"), [[]])
        with pytest.raises(ValueError, match="Circuit 0"):
            gradient.run([circuit], [SparsePauliOp("ZII")], [[0.1, 0.2, 0.3]], [[Parameter("other")]])
        with pytest.raises(ValueError, match="Non-Hermitian"):
            gradient.run(circuit, SparsePauliOp("ZII", 1j), [[0.1, 0.2, 0.3]])
