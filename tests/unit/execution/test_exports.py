"""What Qiskit exports of circuits that were transpiled for a machine: physical qubits, and anything classical."""

from collections.abc import Callable, Mapping

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm3, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr, types
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.branches import exact_distribution
from tests.reference import assert_counts_match
from tests.unit.execution.conftest import Run

SHOTS = 4000
MACHINES = [
    GenericBackendV2(5, coupling_map=CouplingMap.from_line(5), control_flow=True, seed=1),
    GenericBackendV2(4, coupling_map=CouplingMap.from_ring(4), control_flow=True, seed=2),
]
THETA = Parameter("theta")


def _registers(qubits: int, bits: int) -> tuple[QuantumCircuit, ClassicalRegister]:
    register = ClassicalRegister(bits, "c")
    return QuantumCircuit(QuantumRegister(qubits, "q"), register), register


def _plain() -> QuantumCircuit:
    circuit, register = _registers(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(0.7, 2)
    circuit.cx(2, 0)
    circuit.measure(range(3), register)
    return circuit


def _if() -> QuantumCircuit:
    circuit, register = _registers(3, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((register[0], 1)) as otherwise:
        circuit.x(1)
    with otherwise:
        circuit.h(2)
    circuit.measure(1, 1)
    with circuit.if_test(expr.logic_and(register[0], expr.logic_not(register[1]))):
        circuit.cx(0, 2)
    with circuit.if_test((register, 3)):
        circuit.ry(1.1, 2)
    circuit.measure(range(3), register)
    return circuit


def _switch() -> QuantumCircuit:
    circuit, register = _registers(3, 2)
    circuit.h([0, 1])
    circuit.measure([0, 1], register)
    with circuit.switch(register) as case:
        with case(0):
            circuit.x(2)
        with case(1, 2):
            circuit.cx(0, 2)
        with case(case.DEFAULT):
            circuit.ry(0.4, 2)
    circuit.measure(2, 0)
    return circuit


def _while() -> QuantumCircuit:
    circuit, register = _registers(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((register[0], 1)):
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.measure(0, 0)
    circuit.measure(1, 1)
    return circuit


def _for() -> QuantumCircuit:
    circuit, register = _registers(3, 3)
    with circuit.for_loop(range(3)) as turn:
        circuit.h(0)
        circuit.cx(0, 2)
        circuit.rx(turn * 0.3, 1)
        circuit.measure(0, 0)
        with circuit.if_test((register[0], 1)):
            circuit.x(1)
    circuit.measure(range(3), register)
    return circuit


def _inputs() -> QuantumCircuit:
    circuit, register = _registers(2, 2)
    circuit.h(0)
    circuit.rx(THETA, 0)
    circuit.ry(2 * THETA, 1)
    circuit.cx(0, 1)
    circuit.measure([0, 1], register)
    return circuit


def _variables() -> QuantumCircuit:
    circuit, register = _registers(2, 2)
    flag = circuit.add_var("flag", expr.Value(0, types.Bool()))
    number = circuit.add_var("number", expr.lift(3, types.Uint(4)))
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.store(flag, expr.logic_not(register[0]))
    with circuit.if_test(flag):
        circuit.x(1)
    with circuit.if_test(expr.greater(number, 2)):
        circuit.x(0)
    circuit.measure([0, 1], register)
    return circuit


CIRCUITS: Mapping[str, Callable[[], QuantumCircuit]] = {
    "plain": _plain,
    "if": _if,
    "switch": _switch,
    "while": _while,
    "for": _for,
    "inputs": _inputs,
    "variables": _variables,
}


@pytest.mark.parametrize("level", long_after(1, [1, 0, 3]))
@pytest.mark.parametrize("machine", MACHINES, ids=["line", "ring"])
@pytest.mark.parametrize("name", CIRCUITS)
def test_export_of_a_transpiled_circuit_runs(
    simulator: Simulator, name: str, machine: GenericBackendV2, level: int
) -> None:
    circuit = CIRCUITS[name]()
    text = qasm3.dumps(transpile(circuit, machine, optimization_level=level, seed_transpiler=5))
    assert "$" in text
    inputs = {"theta": 0.6} if circuit.parameters else {}
    expected = exact_distribution(circuit.assign_parameters({THETA: 0.6}) if inputs else circuit)
    program = load_program(text, ExecutionLimits(), inputs)
    assert_counts_match(simulator.run(program, SHOTS).counts, expected, SHOTS)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("int n = 1; bit c; x $0; c = measure $0;", "1"),
        ("bit[2] c; x $0; c[0] = measure $0; if (c[0] && !c[1]) x $1; c[1] = measure $1;", "11"),
        ("bit c; bit d; x $0; c = measure $0; if (c) { x $5; } d = measure $5;", "11"),
        # A declared qubit is none of the physical ones.
        ("qubit q; bit[2] c; x $0; c[0] = measure q; c[1] = measure $0;", "10"),
        ("bit[2] c; x $1; c[0] = measure $1; qubit[2] q; c[1] = measure q[1];", "01"),
        (
            "qubit[2] q; bit[4] c; int n = 2; x $2; x $0; barrier $1; delay[1ns] $1; reset $0; x q; "
            "c[0] = measure $0; c[1] = measure $2; c[2:3] = measure q;",
            "1110",
        ),
        ("def f() -> bit { x $1; return measure $1; } bit c; c = f();", "1"),
        ("def f(qubit a) -> bit { x a; return measure a; } bit c; c = f($2);", "1"),
        ("int n; gate g a, b { x a; cx a, b; } bit[2] c; g $3, $1; c[0] = measure $1; c[1] = measure $3;", "11"),
    ],
)
def test_physical_qubits_go_with_anything(run: Run, body: str, key: str) -> None:
    assert run(body, 20) == {key: 20}


@pytest.mark.parametrize(
    ("body", "column", "words"),
    [
        ("let a = $0; bit c; c = measure a;", 9, "the physical qubit '$0' cannot have an alias"),
        ("qubit[2] q; let a = q ++ $0; bit[3] c; c = measure a;", 26, "the physical qubit '$0' cannot have an alias"),
        ("int n; gate g a { x $0; } qubit q; g q;", 21, "'$0' is not a qubit of gate 'g'"),
        ("int n; bit c; cx $1, $1; c = measure $1;", 22, "$1 is given twice"),
        ("def f(qubit a, qubit b) { } f($2, $2);", 29, "different qubits"),
    ],
)
def test_wrong_use_of_physical_qubits_is_rejected(body: str, column: int, words: str) -> None:
    with pytest.raises(ProgramInvalid) as caught:
        load_program(f'include "stdgates.inc";\n{body}', ExecutionLimits())
    assert words in caught.value.message
    assert (caught.value.line, caught.value.column) == (2, column)
