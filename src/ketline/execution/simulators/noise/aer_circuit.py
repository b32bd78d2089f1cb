"""The circuit that Aer runs with a noise model: changed where Aer would attach the errors wrongly."""

from typing import Any

from qiskit.circuit import ControlFlowOp


def without_labels(circuit: Any) -> Any:
    """The circuit without labels, in its blocks too: Aer looks errors up by the label of a gate that has one."""
    if not _has_labels(circuit):
        return circuit
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        result.append(instruction.replace(operation=_without_label(instruction.operation)), copy=False)
    return result


def _has_labels(circuit: Any) -> bool:
    return any(
        instruction.label is not None
        or (instruction.is_control_flow() and any(map(_has_labels, instruction.operation.blocks)))
        for instruction in circuit.data
    )


def _without_label(operation: Any) -> Any:
    if isinstance(operation, ControlFlowOp):
        return operation.replace_blocks([without_labels(block) for block in operation.blocks])
    if operation.label is None:
        return operation
    plain = operation.copy()
    plain.label = None
    return plain
