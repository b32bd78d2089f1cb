"""Random circuits and models of noise, their exact distributions, and a test of counts against one.

The models are made by Aer, and so are the distributions that they are compared with: nothing here is of Ketline.
"""

import random
from collections.abc import Callable, Mapping
from math import cos, log, sin, sqrt
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import random_quantum_channel
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    reset_error,
    thermal_relaxation_error,
)

_LIBRARY = get_standard_gate_name_mapping()
CLIFFORD = ("h", "s", "sdg", "sx", "sxdg", "x", "y", "z", "id", "cx", "cy", "cz", "swap", "ecr")
GATES = (*CLIFFORD, "t", "tdg", "p", "rx", "ry", "rz", "u", "cp", "rxx", "ryy", "rzz", "rzx", "r", "u1", "u2", "u3")
# Expected numbers of shots below this are added up.
_MIN_EXPECTED = 8


def random_circuit(seed: int, qubits: int, gates: int = 12, names: tuple[str, ...] = GATES) -> QuantumCircuit:
    """A circuit of random gates, without measurements."""
    choose = random.Random(seed)
    circuit = QuantumCircuit(qubits, qubits)
    for _ in range(gates):
        gate: Any = _LIBRARY[choose.choice(names)]
        if gate.num_qubits <= qubits:
            angles = [choose.uniform(-3, 3) for _ in gate.params]
            circuit.append(type(gate)(*angles), choose.sample(range(qubits), gate.num_qubits))
    return circuit


def random_pauli_error(choose: random.Random, qubits: int) -> QuantumError:
    if choose.random() < 0.4:
        return depolarizing_error(choose.uniform(0, 0.5), qubits)
    weights = [choose.random() for _ in range(3)]
    labels = ["I" * qubits, *("".join(choose.choices("IXYZ", k=qubits)) for _ in range(2))]
    return pauli_error([(label, weight / sum(weights)) for label, weight in zip(labels, weights, strict=True)])


def random_error(choose: random.Random, qubits: int) -> QuantumError:
    """An error of any kind that Aer has."""
    if qubits == 2 and choose.random() < 0.5:
        return random_error(choose, 1).tensor(random_error(choose, 1))
    if qubits == 2:
        channel = random_quantum_channel(4, rank=choose.randint(1, 4), seed=choose.randrange(10**6))
        return QuantumError(channel) if choose.random() < 0.5 else random_pauli_error(choose, 2)
    t1 = choose.uniform(20, 100)
    makers: list[Callable[[], QuantumError]] = [
        lambda: thermal_relaxation_error(t1, choose.uniform(0.3, 0.9) * t1, choose.uniform(0, 30)),
        lambda: thermal_relaxation_error(t1, choose.uniform(1.1, 1.9) * t1, choose.uniform(0, 30)),
        lambda: amplitude_damping_error(choose.uniform(0, 0.5), excited_state_population=choose.uniform(0, 0.3)),
        lambda: coherent_unitary_error(_rotation(choose.uniform(-1, 1))),
        lambda: reset_error(choose.uniform(0, 0.3), choose.uniform(0, 0.3)),
        lambda: QuantumError(random_quantum_channel(2, rank=2, seed=choose.randrange(10**6))),
        lambda: random_pauli_error(choose, 1),
        lambda: random_pauli_error(choose, 1).compose(amplitude_damping_error(choose.uniform(0, 0.4))),
    ]
    return choose.choice(makers)()


def _rotation(angle: float) -> Any:
    """Of X, in radians."""
    return np.array([[cos(angle / 2), -1j * sin(angle / 2)], [-1j * sin(angle / 2), cos(angle / 2)]])


def random_model(seed: int, qubits: int, names: tuple[str, ...] = GATES, *, pauli: bool = False) -> NoiseModel:
    """Errors of some gates, on all qubits and on certain ones, and of readout."""
    choose, model = random.Random(seed), NoiseModel()
    error_of = random_pauli_error if pauli else random_error
    for name in choose.sample(names, len(names) * 2 // 3):
        width = _LIBRARY[name].num_qubits
        if width > qubits:
            continue
        if choose.random() < 0.7:
            model.add_all_qubit_quantum_error(error_of(choose, width), name, warnings=False)
        for _ in range(choose.randint(0, 2)):
            operands = choose.sample(range(qubits), width)
            model.add_quantum_error(error_of(choose, width), name, operands, warnings=False)
    if choose.random() < 0.7:
        model.add_all_qubit_readout_error(_random_readout(choose))
    if choose.random() < 0.5:
        model.add_readout_error(_random_readout(choose), [choose.randrange(qubits)], warnings=False)
    return model


def _random_readout(choose: random.Random) -> ReadoutError:
    p01, p10 = choose.uniform(0, 0.3), choose.uniform(0, 0.3)
    return ReadoutError([[1 - p01, p01], [p10, 1 - p10]])


def exact_distribution(circuit: QuantumCircuit, model: NoiseModel) -> Mapping[str, float]:
    """The probabilities of the outcomes of all qubits, by Aer's density matrix and the model's readout errors."""
    saved = circuit.copy()
    saved.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)
    result = simulator.run(saved, noise_model=model).result()
    assert result.success, result.status
    qubits = circuit.num_qubits
    probabilities = np.real(np.diag(result.data()["density_matrix"].data)).reshape((2,) * qubits)
    readings = {error["gate_qubits"][0][0]: error for error in _readout(model) if "gate_qubits" in error}
    of_all = next((error for error in _readout(model) if "gate_qubits" not in error), None)
    for qubit in range(qubits):
        error = readings.get(qubit, of_all)
        if error is not None:
            axis = qubits - 1 - qubit
            read = np.tensordot(np.array(error["probabilities"]).T, probabilities, axes=(1, axis))
            probabilities = np.moveaxis(read, 0, axis)
    return {format(index, f"0{qubits}b"): float(value) for index, value in enumerate(probabilities.ravel())}


def _readout(model: NoiseModel) -> list[dict[str, Any]]:
    return [error for error in model.to_dict(serializable=True)["errors"] if error["type"] == "roerror"]


def assert_drawn_from(counts: Mapping[str, int], probabilities: Mapping[str, float], level: float = 1e-7) -> None:
    """Pearson's test: an ideal source fails it with a probability of about `level`.

    Source: Laurent and Massart, Ann. Statist. 28 (2000), Lemma 1, for the tail of the chi-squared distribution.
    """
    assert all(probabilities[key] > 1e-9 for key in counts), "an impossible outcome"
    shots = sum(counts.values())
    bins = [(counts.get(key, 0), shots * probability) for key, probability in probabilities.items()]
    rare = [one for one in bins if one[1] < _MIN_EXPECTED]
    bins = [one for one in bins if one[1] >= _MIN_EXPECTED]
    found, expected = sum(one for one, _ in rare), sum(one for _, one in rare)
    if expected >= _MIN_EXPECTED:
        bins.append((found, expected))
    elif rare:
        # So many of what is rare are as improbable, by a Chernoff bound.
        assert found <= expected + sqrt(2 * expected * log(1 / level)) + log(1 / level), f"{found} of {expected:.3g}"
    freedom, x = len(bins) - 1, log(1 / level)
    squares = sum((one - mean) ** 2 / mean for one, mean in bins)
    assert squares < freedom + 2 * sqrt(freedom * x) + 2 * x, f"chi-squared {squares:.1f} of {freedom} degrees"


def assert_same_source(one: Mapping[str, int], other: Mapping[str, int], level: float = 1e-7) -> None:
    """Pearson's test that two samples have one distribution, which may be unknown."""
    total_one, total_other = sum(one.values()), sum(other.values())
    pooled = {key: (one.get(key, 0) + other.get(key, 0)) / (total_one + total_other) for key in {*one, *other}}
    bins = [
        (one.get(key, 0), other.get(key, 0), share)
        for key, share in pooled.items()
        if share * min(total_one, total_other) >= _MIN_EXPECTED
    ]
    left = 1 - sum(share for _, _, share in bins)
    if left * min(total_one, total_other) >= _MIN_EXPECTED:
        bins.append((total_one - sum(a for a, _, _ in bins), total_other - sum(b for _, b, _ in bins), left))
    squares = sum(
        (first - total_one * share) ** 2 / (total_one * share)
        + (second - total_other * share) ** 2 / (total_other * share)
        for first, second, share in bins
    )
    freedom, x = max(0, len(bins) - 1), log(1 / level)
    assert squares < freedom + 2 * sqrt(freedom * x) + 2 * x, f"chi-squared {squares:.1f} of {freedom} degrees"
