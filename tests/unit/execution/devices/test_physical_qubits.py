"""Programs on devices that name physical qubits: these are the device's, whatever the transpiler would choose."""

import random
from typing import Any

import pytest
from qiskit import qasm3, transpile
from qiskit.quantum_info import Statevector

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.errors import DeviceMismatch
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.transpiling import DevicePrograms
from ketline.execution.transpiling.transpiler import Transpiled, operations_in
from tests.devices import backend_of, device_of, request_on
from tests.noise import GATES, random_circuit
from tests.reference import assert_counts_match

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
LIMITS = ExecutionLimits()
LINE = device_of()
CLEAN = device_of(noisy=False)
LEVELS = range(4)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def placed(program: str, **options: Any) -> Transpiled:
    return DevicePrograms(LIMITS).placer(request_on(LINE, program, **options).spec, DEFAULT_PROJECT)({}).transpiled


def misreading(qubit: int) -> Device:
    """The ideal device, of which one qubit always reads the opposite."""
    document: Any = CLEAN.as_json()
    document["qubits"][qubit] |= {"p01": 1.0, "p10": 1.0}
    return device_from_json(document)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("qubit", range(5))
def test_program_runs_on_the_qubit_that_it_names(executor: Executor, qubit: int, level: int) -> None:
    program = f"{HEAD}bit[1] c; x ${qubit}; c[0] = measure ${qubit};"
    for other in range(5):
        counts = executor.run(request_on(misreading(other), program, optimization_level=level, shots=10)).counts
        assert counts == ({"0": 10} if other == qubit else {"1": 10})


@pytest.mark.parametrize("level", LEVELS)
def test_no_qubit_is_moved_by_a_swap(level: int) -> None:
    found = placed(f"{HEAD}bit[1] c; x $4; swap $4, $3; sx $3; c[0] = measure $3;", optimization_level=level)
    assert list(found.placement.layout) == list(found.placement.final_layout) == [0, 1, 2, 3, 4]
    assert ("measure", (3,)) in operations_in(found.circuit, range(5))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("level", LEVELS)
def test_exported_circuit_of_the_transpiler_runs_where_it_was_placed(executor: Executor, level: int) -> None:
    """Qiskit exports a transpiled circuit with physical qubits."""
    for number in range(4):
        circuit = random_circuit(number, random.Random(number).randint(2, 4), names=GATES)
        distribution = Statevector(circuit).probabilities_dict()
        circuit.measure(range(circuit.num_qubits), range(circuit.num_qubits))
        exported = qasm3.dumps(transpile(circuit, backend_of(CLEAN), seed_transpiler=number, optimization_level=2))
        assert "$" in exported
        counts = executor.run(request_on(CLEAN, exported, optimization_level=level, shots=2000)).counts
        assert_counts_match({key.replace(" ", ""): count for key, count in counts.items()}, distribution, 2000)


@pytest.mark.parametrize("level", LEVELS)
def test_gate_on_qubits_that_are_not_connected_is_rejected(level: int) -> None:
    with pytest.raises(DeviceMismatch, match="cannot be transpiled without moving the physical qubits that it names"):
        placed(f"{HEAD}bit[1] c; cx $0, $3; c[0] = measure $3;", optimization_level=level)
