"""The target of the backend, with which the transpiler works."""

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.classical import expr, types

from ketline.qiskit.target import target_of

TARGET = target_of({"description": "", "limits": {"max_qubits": 5}, "gates": ["h", "x"]})


@pytest.mark.parametrize("level", range(4))
def test_transpilation_does_not_change_loops_with_break_and_continue(level: int) -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(3)):
        circuit.h(0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.break_loop()
        with circuit.if_test((0, 0)):
            circuit.continue_loop()
    assert transpile(circuit, target=TARGET, optimization_level=level).count_ops() == circuit.count_ops()


@pytest.mark.parametrize("level", range(4))
def test_transpilation_does_not_change_switches_boxes_variables_and_while_loops(level: int) -> None:
    circuit = QuantumCircuit(2, 2)
    number = circuit.add_var("number", expr.lift(3, types.Uint(4)))
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0, 2):
            circuit.x(1)
        with case(case.DEFAULT), circuit.box():
            circuit.h(1)
    circuit.store(number, expr.lift(2, types.Uint(4)))
    with circuit.if_test(expr.equal(number, 2)):
        circuit.h(1)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.h(0)
        circuit.measure(0, 0)
    circuit.measure(1, 1)
    made = transpile(circuit, target=TARGET, optimization_level=level)
    assert dict(made.count_ops()) == dict(circuit.count_ops())
