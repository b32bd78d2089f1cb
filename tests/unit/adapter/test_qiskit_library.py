"""Each circuit and gate of Qiskit's library runs, or is rejected by name."""

import re
from typing import Any

import numpy as np
import pytest
from qiskit import transpile
from qiskit.circuit import AnnotatedOperation, Parameter, QuantumCircuit
from qiskit.circuit.library import AndGate, CUGate, MSGate
from qiskit.quantum_info import Statevector

from benchmarks.library import library_circuit, library_names
from ketline.client.convert.qiskit import serialized
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.frontend.program import load_program, with_inputs
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.circuits import as_qpy

LIMITS = ExecutionLimits()
# It needs auxiliary qubits, which only the transpiler gives it.
NEEDS_TRANSPILER = "WeightedSumGate"
NO_STATE = ("measure", "reset", "initialize")
# Their matrix is the exact evolution, and their definition an approximation, which Qiskit runs.
EVOLVED = ("EvolvedOperatorAnsatz", "PauliEvolutionGate", "QAOAAnsatz")
NAMES = [name for name in library_names() if name != "GlobalPhaseGate"]  # which is of no qubits

# Qiskit tells that some of its circuits are deprecated, and that others need auxiliary qubits.
pytestmark = pytest.mark.filterwarnings("ignore")


def behind_rotations(name: str) -> QuantumCircuit:
    """A circuit behind a layer of rotations, so that it matters what it does to every state; all of it is measured."""
    made = library_circuit(name)
    circuit = made.copy_empty_like(name)
    for place, qubit in enumerate(circuit.qubits):
        circuit.u(0.3 + 0.1 * place, 0.5 - 0.2 * place, 0.7 * place, qubit)
    circuit.compose(made, qubits=circuit.qubits, clbits=circuit.clbits, inplace=True)
    circuit.measure_all()
    return circuit


def assert_same(program: str, form: str, circuit: QuantumCircuit) -> None:
    arrived = load_program(program, LIMITS, form=ProgramFormat(form)).lowered.circuit
    if {one.operation.name for one in circuit.decompose().data[: -circuit.num_qubits]} & set(NO_STATE):
        return  # there is no one state to compare
    if any(word in circuit.name for word in EVOLVED):
        circuit = transpile(circuit, basis_gates=["u", "cx"], optimization_level=0)
    one, other = (Statevector(each.remove_final_measurements(inplace=False)).data for each in (arrived, circuit))
    assert abs(np.vdot(one, other)) == pytest.approx(1, abs=1e-9)


def rejection_of(program: str) -> str | None:
    try:
        load_program(program, LIMITS, form=ProgramFormat.QPY)
    except ProgramUnsupported as error:
        return error.message
    return None


@pytest.mark.parametrize("name", [name for name in NAMES if name != NEEDS_TRANSPILER])
def test_serialized_circuits_are_equal(name: str) -> None:
    circuit = behind_rotations(name)
    sent = serialized(circuit)
    assert_same(sent.program, sent.program_format, circuit)


@pytest.mark.parametrize("name", NAMES)
def test_qpy_of_qiskit_is_equal_or_rejected_by_name(name: str) -> None:
    circuit = behind_rotations(name)
    rejection = rejection_of(as_qpy(circuit))
    if rejection is None:
        assert_same(as_qpy(circuit), "qpy", circuit)
    else:
        assert re.search(r"'\w+'.*decompose it", rejection)


@pytest.mark.parametrize(
    "operation",
    [AndGate(2), AndGate(2).control(1), CUGate(np.pi, 0, np.pi, 0).control(1), AnnotatedOperation(AndGate(2), [])],
)
def test_gates_are_replaced_also_in_blocks_and_modifiers(operation: Any) -> None:
    inner = QuantumCircuit(4)
    inner.append(operation, range(operation.num_qubits))
    body = QuantumCircuit(4)
    body.append(inner.to_gate(), range(4))
    circuit = QuantumCircuit(4, 4)
    circuit.x(range(3))
    circuit.for_loop(range(3), None, body, range(4), [])
    circuit.measure(range(4), range(4))
    key = "1111" if operation.num_qubits == 4 else "0011"
    program = load_program(serialized(circuit).program, LIMITS, form=ProgramFormat.QPY)
    assert Simulator(LIMITS).run(program, 10).counts == {key: 10}


def test_parameters_keep_their_places_in_definitions() -> None:
    circuit = QuantumCircuit(2)
    circuit.append(MSGate(2, Parameter("b")), [0, 1])
    circuit.rx(Parameter("a"), 0)
    circuit.measure_all()
    sent = serialized(circuit)
    program = with_inputs(load_program(sent.program, LIMITS, form=ProgramFormat.QPY), {"p0": 0.4, "p1": 0.9})
    bound = circuit.assign_parameters({"a": 0.4, "b": 0.9})
    states = (
        Statevector(each.remove_final_measurements(inplace=False)).data for each in (program.lowered.circuit, bound)
    )
    assert abs(np.vdot(*states)) == pytest.approx(1, abs=1e-9)
