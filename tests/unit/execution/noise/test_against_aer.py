"""Distributions with noise agree with those of AerSimulator, run directly with the same model.

Every test fails for an ideal program with a probability of about 1e-7, one of all of them with 1e-4.
"""

import random
from typing import Any

import pytest
from qiskit.circuit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, amplitude_damping_error, depolarizing_error, pauli_error

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from tests.blocks import long_after, numbers
from tests.circuits import as_qpy
from tests.noise import (
    CLIFFORD,
    assert_drawn_from,
    assert_same_source,
    exact_distribution,
    random_circuit,
    random_model,
)

_BLOCK = 10
SHOTS = 2000


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


def run(
    executor: Executor, circuit: Any, model: Any, method: Method = Method.AUTOMATIC, shots: int = SHOTS, seed: int = 5
) -> RunResult:
    """The result of a circuit, of Qiskit's or as text, with a model of Aer's or in JSON."""
    noise = {"model": model.to_dict(serializable=True)} if isinstance(model, NoiseModel) else model
    is_text = isinstance(circuit, str)
    options = RunOptions(
        seed=seed,
        method=method,
        noise=noise,
        format=ProgramFormat.OPENQASM3 if is_text else ProgramFormat.QPY,
    )
    text = circuit if is_text else as_qpy(circuit)
    return executor.run(Request(TaskSpec(circuit=text, shots=shots, options=options)))


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    result = circuit.copy()
    result.measure(range(circuit.num_qubits), range(circuit.num_qubits))
    return result


def compare(executor: Executor, number: int, *, clifford: bool) -> None:
    choose = random.Random(number)
    qubits = choose.randint(1, 4)
    some = [name for name in CLIFFORD if choose.random() < 0.6]
    names = CLIFFORD if clifford else (*some, "t", "rx", "cp", "u")
    circuit = random_circuit(number, qubits, names=names)
    model = random_model(number, qubits, names, pauli=clifford)
    method = Method.AUTOMATIC if number % 5 else choose.choice([Method.STATEVECTOR, Method.DENSITY_MATRIX])
    result = run(executor, measured(circuit), model, method, 600 if method is Method.STATEVECTOR else SHOTS, number)
    assert method in (Method.AUTOMATIC, result.profile.method)
    assert_drawn_from(result.counts, exact_distribution(circuit, model))


@pytest.mark.parametrize("block", long_after(1, range(25)))
def test_random_circuits_with_all_kinds_of_errors(executor: Executor, block: int) -> None:
    for number in numbers(block, _BLOCK):
        compare(executor, number, clifford=False)


@pytest.mark.parametrize("block", long_after(1, range(25)))
def test_random_clifford_circuits_with_pauli_errors(executor: Executor, block: int) -> None:
    for number in numbers(block, _BLOCK):
        compare(executor, number, clifford=True)


MIDDLE = QuantumCircuit(3, 3)
MIDDLE.h(0)
MIDDLE.cx(0, 1)
MIDDLE.measure(0, 0)
MIDDLE.reset(0)
MIDDLE.x(0)
MIDDLE.cx(1, 2)
MIDDLE.reset(1)
MIDDLE.measure([0, 1, 2], [0, 1, 2])
BRANCH = QuantumCircuit(2, 2)
BRANCH.h(0)
BRANCH.measure(0, 0)
with BRANCH.if_test((BRANCH.clbits[0], 1)):
    BRANCH.x(1)
BRANCH.measure([0, 1], [0, 1])


def pauli_model() -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["h", "x"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
    model.add_all_qubit_quantum_error(pauli_error([("X", 0.15), ("I", 0.85)]), "measure")
    model.add_all_qubit_quantum_error(pauli_error([("Y", 0.05), ("I", 0.95)]), "reset")
    model.add_all_qubit_readout_error(ReadoutError([[0.95, 0.05], [0.2, 0.8]]))
    return model


def damping_model() -> NoiseModel:
    model = pauli_model()
    model.add_quantum_error(amplitude_damping_error(0.3), "x", [1], warnings=False)
    model.add_quantum_error(amplitude_damping_error(0.2), "reset", [0], warnings=False)
    return model


ANY = (Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX)
IN_THE_MIDDLE = [
    *[(MIDDLE, pauli_model, method) for method in (*ANY, Method.STABILIZER, Method.STIM)],
    *[(BRANCH, pauli_model, method) for method in (*ANY, Method.STABILIZER)],
    *[(circuit, damping_model, method) for circuit in (MIDDLE, BRANCH) for method in ANY],
]


@pytest.mark.parametrize(("circuit", "make", "method"), long_after(5, IN_THE_MIDDLE))
def test_measurements_and_resets_in_the_middle(executor: Executor, circuit: Any, make: Any, method: Method) -> None:
    """Errors of `measure` come before it, those of `reset` after it, and gates in branches have theirs."""
    simulator = AerSimulator(method="statevector", fusion_enable=False, max_parallel_threads=1)
    direct = simulator.run(circuit, noise_model=make(), shots=3000, seed_simulator=99).result().get_counts()
    found = run(executor, circuit, make(), method, 3000)
    assert method in (Method.AUTOMATIC, found.profile.method)
    assert_same_source({key.replace(" ", ""): count for key, count in found.counts.items()}, direct)
