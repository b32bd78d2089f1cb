"""Replaces gates that a QPY file says too little of by their definitions.

Qiskit's reader makes a gate of its library anew from its class and its parameters, which of many are not all that its
constructor takes: reading `AndGate(3)` raises a TypeError, and other gates would come back as others than they were.
"""

from typing import Any

from qiskit.circuit import AnnotatedOperation, ControlFlowOp, Gate, Instruction, Store
from qiskit.circuit.library import (
    Barrier,
    Initialize,
    Measure,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    Reset,
    StatePreparation,
    UnitaryGate,
)
from qiskit.quantum_info import Clifford

_STANDARD_GATES = "qiskit.circuit.library.standard_gates."
# What is read as it was written, each with a test.
_REBUILT = (
    AnnotatedOperation,
    Barrier,
    Clifford,
    Initialize,
    Measure,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    Reset,
    StatePreparation,
    Store,
    UnitaryGate,
)
_PLAIN = (Gate, Instruction)


def with_definitions(circuit: Any) -> Any:
    """The same circuit of operations that QPY keeps; itself where it has no others."""
    changed = False
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = _kept(instruction.operation)
        changed = changed or operation is not instruction.operation
        result.append(instruction.replace(operation=operation))
    return result if changed else circuit


def _kept(operation: Any) -> Any:
    """The same operation in a form that QPY keeps; itself where it is that."""
    if isinstance(operation, ControlFlowOp):
        blocks = [with_definitions(block) for block in operation.blocks]
        unchanged = all(one is other for one, other in zip(blocks, operation.blocks, strict=True))
        return operation if unchanged else operation.replace_blocks(blocks)
    if isinstance(operation, AnnotatedOperation):
        base = _kept(operation.base_op)
        return operation if base is operation.base_op else AnnotatedOperation(base, operation.modifiers)
    kind = getattr(operation, "base_class", type(operation))
    if kind.__module__.startswith(_STANDARD_GATES) or issubclass(kind, _REBUILT):
        return operation
    definition = getattr(operation, "definition", None)
    if definition is None:
        return operation
    inside = with_definitions(definition)
    # A controlled `CUGate` has a `UGate` of four angles at its base, which the reader cannot make.
    return operation if kind in _PLAIN and inside is definition else _plain(operation, inside)


def _plain(operation: Any, definition: Any) -> Any:
    """A gate, or an instruction, of this definition and no class of its own."""
    name = f"{operation.name}_by_definition"  # by some names QPY knows what class it is
    parameters, label = list(definition.parameters), operation.label
    if isinstance(operation, Gate):
        plain = Gate(name, operation.num_qubits, parameters, label=label)
    else:
        plain = Instruction(name, operation.num_qubits, operation.num_clbits, parameters, label=label)
    plain.definition = definition
    return plain
