"""Serialized circuits are equal to their originals."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import qpy
from qiskit.circuit import ClassicalRegister, Clbit, Gate, Parameter, ParameterVector, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from ketline.client.convert import qiskit as module
from ketline.client.convert.qiskit import serialized
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

GATES = {name: gate for name, gate in get_standard_gate_name_mapping().items() if name in module._EXACT}


@pytest.mark.parametrize("name", sorted(GATES))
def test_gates_have_the_same_meaning_in_openqasm(name: str) -> None:
    kind = GATES[name]
    if not isinstance(kind, Gate):
        return  # measure and reset have no matrix
    random = np.random.default_rng(len(name))
    circuit = QuantumCircuit(QuantumRegister(4, "register"))
    circuit.h(range(4))
    for _ in range(3):
        wires = random.permutation(4)[: kind.num_qubits].tolist()
        circuit.append(type(kind)(*random.uniform(-7, 7, len(kind.params)).tolist()), wires)
    sent = serialized(circuit)
    assert sent.program_format == "openqasm3"
    arrived = read_program(sent.program, ExecutionLimits()).circuit
    assert Operator(arrived).equiv(Operator(circuit), rtol=0, atol=1e-12)


def test_angles_are_written_in_full() -> None:
    circuit = QuantumCircuit(1)
    angles = [0.1, 1 / 3, np.pi, np.pi / 7, 1e-300, -2.5e17, 5e-324]
    for angle in angles:
        circuit.rx(angle, 0)
    arrived = read_program(serialized(circuit).program, ExecutionLimits()).circuit
    assert [instruction.params[0] for instruction in arrived.data] == angles


def own_gate() -> Any:
    gate = Gate("h", 1, [])
    gate.definition = QuantumCircuit(1)
    gate.definition.x(0)
    return gate


def with_own_gate() -> Any:
    circuit = QuantumCircuit(1)
    circuit.append(own_gate(), [0])
    return circuit


def with_matrix() -> Any:
    circuit = QuantumCircuit(1)
    circuit.append(UnitaryGate(np.eye(2)), [0])
    return circuit


def with_branch() -> Any:
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((0, 1)):
        circuit.x(0)
    return circuit


def with_loose_bit() -> Any:
    return QuantumCircuit(QuantumRegister(1), [Clbit()])


def with_empty_register() -> Any:
    return QuantumCircuit(QuantumRegister(1), ClassicalRegister(0), ClassicalRegister(1))


@pytest.mark.parametrize("make", [with_own_gate, with_matrix, with_branch, with_loose_bit, with_empty_register])
def test_all_other_circuits_are_serialized_as_qpy(make: Any) -> None:
    circuit = make()
    sent = serialized(circuit)
    assert (sent.program_format, sent.parameters) == ("qpy", [])
    (arrived,) = qpy.load(io.BytesIO(base64.b64decode(sent.program)))
    assert arrived == circuit


def test_parameters_get_names_that_the_service_accepts() -> None:
    vector = ParameterVector("a strange name", 2)
    circuit = QuantumCircuit(1, metadata={"private": 1})
    circuit.rx(vector[1] + Parameter("θ!") * vector[0], 0)
    sent = serialized(circuit)
    assert sent.parameters == ["p0", "p1", "p2"]
    (arrived,) = qpy.load(io.BytesIO(base64.b64decode(sent.program)))
    values = [0.25, 0.5, 2.0]
    bound = arrived.assign_parameters(dict(zip(sent.parameters, values, strict=True)))
    assert bound.data[0].params == circuit.assign_parameters(values).data[0].params
    assert arrived.metadata == {}
    assert circuit.metadata == {"private": 1}


@pytest.mark.parametrize("own", [["p1", "p0"], ["a", "p0"], ["p1", "z"], ["p0", "p1", "p2", "p3"]])
def test_names_of_parameters_are_not_used_twice(own: list[str]) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(sum(number * Parameter(name) for number, name in enumerate(own, 1)), 0)
    sent = serialized(circuit)
    assert len(set(sent.parameters)) == len(own)
    (arrived,) = qpy.load(io.BytesIO(base64.b64decode(sent.program)))
    values = [0.5 + number for number in range(len(own))]
    bound = arrived.assign_parameters(dict(zip(sent.parameters, values, strict=True)))
    assert bound.data[0].params == circuit.assign_parameters(values).data[0].params


def waiting(*, delays: bool) -> Any:
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"), name="waiting", global_phase=0.5)
    circuit.rx(Parameter("a"), 0)
    if delays:
        circuit.delay(1e-07, 0, unit="s")
        circuit.delay(100, 1, unit="dt")
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as otherwise:
        circuit.x(1)
        with circuit.for_loop(range(3)):
            if delays:
                circuit.delay(2.5, 1, unit="ns")
            circuit.h(1)
    with otherwise:
        if delays:
            circuit.delay(1, 1, unit="us")
        circuit.y(1)
    return circuit


def test_delays_are_removed_and_everything_else_remains() -> None:
    left, plain = (module._without_delays(waiting(delays=delays)).assign_parameters([0.25]) for delays in (True, False))
    assert left == plain
    (arrived,) = qpy.load(io.BytesIO(base64.b64decode(serialized(waiting(delays=True)).program)))
    assert arrived.assign_parameters({"p0": 0.25}) == plain
    assert arrived.global_phase == 0.5


def test_delays_are_kept_for_a_device() -> None:
    """In their units: QPY would keep only those in `dt`."""
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.delay(17.5, 0, unit="us")
    circuit.measure(0, 0)
    flat = serialized(circuit, with_delays=True)
    assert (flat.program_format, "delay[17.5us] q[0];" in flat.program) == ("openqasm3", True)
    assert "delay" not in serialized(circuit).program
    wide = serialized(waiting(delays=True), with_delays=True)
    assert wide.program_format == "openqasm3"
    assert all(text in wide.program for text in ("delay[2.5ns]", "delay[1.0us]", "delay[100dt]"))
    circuit = QuantumCircuit(1, 1)
    circuit.delay(100, 0, unit="dt")
    circuit.rx(Parameter("a"), 0)
    circuit.measure(0, 0)
    sent = serialized(circuit, with_delays=True)
    (arrived,) = qpy.load(io.BytesIO(base64.b64decode(sent.program)))
    assert [(one.name, one.params) for one in arrived.data if one.name == "delay"] == [("delay", [100])]


@pytest.mark.parametrize("indices", [range(3), (2, 0, 1)])
def test_loops_over_variables_are_equal_after_decoding(indices: Any) -> None:
    circuit = QuantumCircuit(1, 1)
    number = expr.Var.new("number", types.Uint(8))
    with circuit.for_loop(indices, number), circuit.if_test(expr.equal(number, 1)):
        circuit.x(0)
    circuit.measure(0, 0)
    program = load_program(serialized(circuit).program, ExecutionLimits(), form=ProgramFormat.QPY)
    assert Simulator(ExecutionLimits()).run(program, 10).counts == {"1": 10}


def test_parameter_of_a_delay_keeps_its_place() -> None:
    circuit = QuantumCircuit(1)
    circuit.delay(Parameter("a"), 0, unit="s")
    circuit.rx(Parameter("b"), 0)
    assert serialized(circuit).parameters == ["p0", "p1"]


def comparing(variable: Callable[[Any], Any], value: Any) -> Any:
    """A circuit whose bit is 1 if a variable has this value."""
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test(expr.equal(variable(circuit), value)):
        circuit.x(0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "inputs"),
    [
        (comparing(lambda circuit: circuit.add_input("v", types.Uint(8)), 5), {"v": 5}),
        (comparing(lambda circuit: circuit.add_input("v", types.Bool()), True), {"v": True}),
        (comparing(lambda circuit: circuit.add_var("v", expr.lift(0.5, types.Float())), 0.5), {}),
    ],
    ids=["input number", "input bit", "float"],
)
def test_variables_that_are_not_read_from_qpy_are_sent_as_openqasm(circuit: Any, inputs: dict[str, Any]) -> None:
    sent = serialized(circuit)
    assert sent.program_format == "openqasm3"
    program = load_program(sent.program, ExecutionLimits(), inputs)
    assert Simulator(ExecutionLimits()).run(program, 10).counts == {"1": 10}


def test_variables_are_sent_as_openqasm_with_the_names_of_parameters() -> None:
    circuit = QuantumCircuit(1, 1)
    number = circuit.add_var("p0", expr.lift(0.5, types.Float()))
    circuit.rx(Parameter("θ"), 0)
    with circuit.if_test(expr.less(number, 0.7)):
        circuit.rx(Parameter("φ"), 0)
    circuit.measure(0, 0)
    sent = serialized(circuit)
    assert (sent.program_format, sent.parameters) == ("openqasm3", ["p1", "p2"])
    program = load_program(sent.program, ExecutionLimits(), {"p1": np.pi / 2, "p2": np.pi / 2})
    assert Simulator(ExecutionLimits()).run(program, 10).counts == {"1": 10}


def test_circuit_that_openqasm_cannot_hold_either_is_sent_as_qpy() -> None:
    """The service rejects it by name."""
    circuit = QuantumCircuit(1)
    circuit.initialize([0, 1], 0)
    circuit.add_input("v", types.Bool())
    assert serialized(circuit).program_format == "qpy"
