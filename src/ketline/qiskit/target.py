"""The target of the backend, with which the transpiler works."""

from collections.abc import Mapping
from typing import Any

from qiskit.circuit import (
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Measure,
    Parameter,
    Reset,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping
from qiskit.transpiler import Target

# Added to the target as classes, because they act on any number of qubits and bits.
_VARIABLE_SIZE = {
    "box": BoxOp,
    "if_else": IfElseOp,
    "store": Store,
    "switch_case": SwitchCaseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
}


def target_of(service: Mapping[str, Any]) -> Any:
    """The operations of a service, from the description of its backend: any gate on any qubits."""
    target = Target(description=service["description"], num_qubits=service["limits"]["max_qubits"])
    gates = get_standard_gate_name_mapping()
    for name in sorted(gates.keys() & set(service["gates"])):
        target.add_instruction(gates[name], {None: None}, name=name)
    for operation in (Measure(), Reset()):
        target.add_instruction(operation, {None: None})
    target.add_instruction(Delay(Parameter("t")), {None: None})
    target.add_instruction(UnitaryGate, name="unitary")
    for name, operation in _VARIABLE_SIZE.items():
        target.add_instruction(operation, name=name)
    return target
