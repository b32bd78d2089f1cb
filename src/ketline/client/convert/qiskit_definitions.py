"""Replacement of gates that QPY does not store completely by their definitions. Used by `qiskit.py`.

Qiskit's reader rebuilds a library gate from its class and parameters. The constructors of many gates need more than
that: reading `AndGate(3)` raises a TypeError, and some other gates are read as different gates.
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
# Classes that QPY reads back exactly; each has a test.
_EXACT_IN_QPY = (
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
_SAVE_PREFIX = "save_"


def with_definitions(circuit: Any) -> Any:
    """An equal circuit that QPY stores exactly; the circuit itself if nothing has to be replaced."""
    changed = False
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = _storable(instruction.operation)
        changed = changed or operation is not instruction.operation
        result.append(instruction.replace(operation=operation))
    return result if changed else circuit


def _storable(operation: Any) -> Any:
    """An equal operation that QPY stores exactly; the operation itself if nothing has to be replaced."""
    if isinstance(operation, ControlFlowOp):
        blocks = [with_definitions(block) for block in operation.blocks]
        unchanged = all(new is old for new, old in zip(blocks, operation.blocks, strict=True))
        return operation if unchanged else operation.replace_blocks(blocks)
    if isinstance(operation, AnnotatedOperation):
        base = _storable(operation.base_op)
        return operation if base is operation.base_op else AnnotatedOperation(base, operation.modifiers)
    kind = getattr(operation, "base_class", type(operation))
    if kind.__module__.startswith(_STANDARD_GATES) or issubclass(kind, _EXACT_IN_QPY):
        return operation
    definition = getattr(operation, "definition", None)
    if definition is None:
        return _plain_save(operation) if operation.name.startswith(_SAVE_PREFIX) else operation
    inside = with_definitions(definition)
    # The base gate of a controlled `CUGate` is a `UGate` with four angles, which the reader cannot build.
    return operation if kind in _PLAIN and inside is definition else _plain(operation, inside)


def _plain_save(operation: Any) -> Any:
    """A `save_*` instruction of Aer's as a named place, of which QPY stores the label: some have other parameters."""
    return Instruction(operation.name, operation.num_qubits, operation.num_clbits, [], label=operation.label)


def _plain(operation: Any, definition: Any) -> Any:
    """A gate or instruction of no library class, with this definition."""
    name = f"{operation.name}_by_definition"  # QPY derives the class from some names
    parameters, label = list(definition.parameters), operation.label
    if isinstance(operation, Gate):
        plain = Gate(name, operation.num_qubits, parameters, label=label)
    else:
        plain = Instruction(name, operation.num_qubits, operation.num_clbits, parameters, label=label)
    plain.definition = definition
    return plain
