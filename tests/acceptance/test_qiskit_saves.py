"""What circuits save on a service, and their counts with noise, compared with AerSimulator itself."""

import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Kraus, SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error

from ketline.client import Client
from ketline.qiskit import KetlineBackend, KetlineProvider
from tests.acceptance.processes import running_service
from tests.forking.client import ForkServer
from tests.noise import assert_drawn_from, exact_distribution, random_circuit, random_model

PATIENCE_SECONDS = 100.0
TOLERANCE = 1e-10
MAX_SHOTS = 3000

# Prints what another process reads of a job.
READER = """
import sys
from ketline.qiskit import KetlineProvider

result = KetlineProvider(sys.argv[1]).retrieve_job(sys.argv[2]).result(100)
print([one.data.to_dict() for one in result.results])
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """A service that all tests of this module share, with a low limit of shots."""
    with running_service(tmp_path_factory.mktemp("saves"), fork_server, KETLINE_MAX_SHOTS=str(MAX_SHOTS)) as url:
        yield url


@pytest.fixture(scope="module")
def backend(url: str) -> Iterator[KetlineBackend]:
    with Client(url) as client:
        yield KetlineProvider(client=client).get_backend()


def saving(seed: int) -> QuantumCircuit:
    """A random circuit with several instructions that save, a phase, and for some seeds measurements after them."""
    draw = random.Random(seed)
    circuit = random_circuit(seed, draw.randint(2, 4))
    circuit.global_phase = draw.uniform(-3, 3)
    some = draw.sample(range(circuit.num_qubits), draw.randint(1, circuit.num_qubits))
    circuit.save_statevector()
    circuit.save_statevector(label="again")
    circuit.save_state(label="own")
    circuit.save_density_matrix(some)
    circuit.save_density_matrix(label="all")
    circuit.save_probabilities(some)
    circuit.save_probabilities_dict(label="dictionary")
    circuit.save_amplitudes([0, 3, 1])
    circuit.save_amplitudes_squared([2, 0])
    circuit.save_statevector_dict(label="sparse")
    if seed % 2:
        circuit.measure(range(circuit.num_qubits), range(circuit.num_qubits))
    return circuit


def saving_in_between(seed: int) -> QuantumCircuit:
    """A random circuit that saves at its start, between gates and at its end, with expectation values."""
    draw = random.Random(seed)
    width = draw.randint(2, 4)
    circuit = QuantumCircuit(width, width, global_phase=draw.uniform(-3, 3))
    for number in range(3):
        some = draw.sample(range(width), draw.randint(1, width))
        labels = list({"".join(draw.choices("IXYZ", k=len(some))) for _ in range(4)})
        operator = SparsePauliOp(labels, [draw.uniform(-2, 2) for _ in labels])
        circuit.save_statevector(label=f"state {number}")
        circuit.save_expectation_value(operator, some, label=f"value {number}")
        circuit.save_expectation_value_variance(operator, some, label=f"moments {number}")
        circuit.save_probabilities(some, label=f"probabilities {number}")
        part = random_circuit(10 * seed + number, width, gates=5)
        circuit.compose(part, inplace=True)
    circuit.save_density_matrix()
    return circuit


def saving_with_outcomes(seed: int, *, model: Any = None) -> tuple[QuantumCircuit, dict[str, Any]]:
    """A circuit that saves after measurements and resets, and what Aer gives for it with channels in their place."""
    draw = random.Random(seed)
    circuit, channels = QuantumCircuit(3, 3), QuantumCircuit(3, 3)
    dephasing = Kraus([np.diag([1, 0]), np.diag([0, 1])])
    resetting = Kraus([np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])])
    for number in range(3):
        part, qubit = random_circuit(10 * seed + number, 3, gates=4), draw.randrange(3)
        for one in (circuit, channels):
            one.compose(part, inplace=True)
        if number % 2:
            circuit.reset(qubit)
        else:
            circuit.measure(qubit, number)
        channels.append((resetting if number % 2 else dephasing).to_instruction(), [qubit])
        for one in (circuit, channels):
            one.save_density_matrix(label=f"matrix {number}")
            one.save_expectation_value(SparsePauliOp("XZ"), [2, 0], label=f"value {number}")
    simulator = AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)
    result = simulator.run(channels, noise_model=model).result()
    assert result.success, result.status
    return circuit, result.data()


def unitary(seed: int) -> QuantumCircuit:
    circuit = random_circuit(seed, 3)
    circuit.global_phase = 0.3 * seed
    circuit.save_unitary()
    return circuit


def by_aer(circuits: list[QuantumCircuit], method: str = "statevector") -> Any:
    simulator = AerSimulator(method=method, fusion_enable=False, max_parallel_threads=1)
    result = simulator.run(circuits, shots=100).result()
    assert result.success, result.status
    return result


def assert_equal(found: Any, expected: Any) -> None:
    """The same type, of which Aer has subclasses, and the same numbers; of dictionaries but for numbers that are 0."""
    assert isinstance(expected, type(found)), (type(found), type(expected))
    if isinstance(expected, dict):
        for key in {*found, *expected}:
            assert abs(found.get(key, 0) - expected.get(key, 0)) < TOLERANCE
        return
    ours, theirs = np.asarray(found), np.asarray(expected)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < TOLERANCE


def assert_same_values(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Equal but for counts: Aer has some, of zeros, where nothing is measured."""
    labels = expected.keys() - {"counts"}
    assert found.keys() - {"counts"} == labels
    for label in labels:
        assert_equal(found[label], expected[label])


def test_saved_values_are_those_of_aer(backend: KetlineBackend) -> None:
    circuits = [saving(seed) for seed in range(20)]
    result = backend.run(circuits, shots=100).result(PATIENCE_SECONDS)
    expected = by_aer(circuits)
    for number in range(len(circuits)):
        found, own = result.data(number), expected.data(number)
        assert_same_values(found, own)
        assert sum(found.get("counts", {}).values()) == (100 if number % 2 else 0)
    assert_equal(result.get_statevector(0), expected.get_statevector(0))


def test_values_saved_in_between_are_those_of_aer(backend: KetlineBackend) -> None:
    circuits = [saving_in_between(seed) for seed in range(12)]
    result = backend.run(circuits).result(PATIENCE_SECONDS)
    expected = by_aer(circuits)
    for number in range(len(circuits)):
        found, own = result.data(number), expected.data(number)
        assert_same_values(found, own)


@pytest.mark.parametrize("noisy", [False, True])
def test_values_saved_after_measurements_are_averages(backend: KetlineBackend, noisy: bool) -> None:
    """Aer's own are averages over shots, so it is given the channels that measurements and resets are."""
    model = NoiseModel()
    if noisy:
        model.add_all_qubit_quantum_error(depolarizing_error(0.2, 1), ["h", "x", "rx", "u", "sx", "t", "p"])
        model.add_all_qubit_quantum_error(amplitude_damping_error(0.3).tensor(depolarizing_error(0.1, 1)), ["cx", "cz"])
    made = [saving_with_outcomes(seed, model=model) for seed in range(8)]
    result = backend.run([circuit for circuit, _ in made], shots=20, noise_model=model).result(PATIENCE_SECONDS)
    for number, (_, own) in enumerate(made):
        found = result.data(number)
        assert sum(found["counts"].values()) == 20
        assert_same_values(found, own)


def test_saved_unitaries_are_those_of_aer(backend: KetlineBackend) -> None:
    circuits = [unitary(seed) for seed in range(8)]
    result = backend.run(circuits, method="unitary").result(PATIENCE_SECONDS)
    expected = by_aer(circuits, "unitary")
    for number in range(len(circuits)):
        assert_equal(result.get_unitary(number), expected.get_unitary(number))


def test_state_has_the_phase_of_a_gate_that_openqasm_has_with_another(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(1)
    circuit.u(0.3, 0.7, -1.1, 0)
    saved = circuit.copy()
    saved.save_statevector()
    expected = np.asarray(by_aer([saved]).get_statevector())
    assert_equal(np.asarray(backend.run(saved).result(PATIENCE_SECONDS).get_statevector()), expected)
    found = backend.client.run(circuit, outputs=["statevector"]).outputs["statevector"].values
    assert_equal(np.array(found), expected)


def test_counts_of_split_shots_have_the_saved_state_once(backend: KetlineBackend, url: str) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.save_statevector()
    circuit.measure([0, 1], [0, 1])
    job = backend.run([circuit, QuantumCircuit(1)], shots=2 * MAX_SHOTS + 1, seed_simulator=1)
    result = job.result(PATIENCE_SECONDS)
    assert sum(result.get_counts(0).values()) == 2 * MAX_SHOTS + 1
    assert_equal(result.get_statevector(0), by_aer([circuit]).get_statevector(0))
    assert len(job.task_ids) == 3
    command = [sys.executable, "-c", READER, url, job.job_id()]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS).stdout
    assert read.strip() == str([one.data.to_dict() for one in result.results])


@pytest.mark.parametrize("seed", range(12))
def test_counts_with_noise_are_those_of_aers_model(backend: KetlineBackend, seed: int) -> None:
    circuit, model = random_circuit(seed, 3), random_model(seed, 3)
    measured = circuit.copy()
    measured.measure(range(3), range(3))
    result = backend.run(measured, noise_model=model, shots=2 * MAX_SHOTS).result(PATIENCE_SECONDS)
    assert_drawn_from(result.get_counts(), exact_distribution(circuit, model))


def test_model_without_errors_is_no_noise(backend: KetlineBackend) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    job = backend.run(circuit, noise_model=NoiseModel(), shots=10)
    assert job.result(PATIENCE_SECONDS).get_counts() == {"1": 10}
    assert "noise" not in backend.client.get(job.task_ids[0]).data
