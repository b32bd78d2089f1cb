"""The circuit that Aer runs with a noise model: changed where Aer would attach the errors wrongly."""

from typing import Any

from qiskit.circuit import Clbit, ControlFlowOp

from ketline.execution.circuit.passes.lowered import BRANCHES
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.bitstrings import KeyFormat

_READING_BITS = BRANCHES | {"store"}


def without_labels(circuit: Any) -> Any:
    """The circuit without labels, in its blocks too: Aer looks errors up by the label of a gate that has one."""
    if not _has_labels(circuit):
        return circuit
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        result.append(instruction.replace(operation=_without_label(instruction.operation)), copy=False)
    return result


def with_spare_bit(circuit: Any) -> Any:
    """The circuit with one more bit, the last, for measurements whose own bit is written again before it is read.

    Aer misreads a bit once for each measurement into it if it samples them all from the final state. It does not do so
    with measurements that branches, loops or assignments follow.
    """
    overwritten = _overwritten(circuit)
    if not overwritten:
        return circuit
    result = circuit.copy_empty_like()
    spare = Clbit()
    result.add_bits([spare])
    for number, instruction in enumerate(circuit.data):
        written = [spare] if number in overwritten else instruction.clbits
        result.append(instruction.replace(clbits=written), copy=False)
    return result


def key_without_spare_bit(program: Program) -> KeyFormat:
    """As `key_of`, of an outcome that may have one more bit."""
    declared = (1 << program.lowered.num_clbits) - 1
    convert = program.outcome
    return KeyFormat(
        program.groups, lambda outcome: outcome & declared if convert is None else convert(outcome & declared)
    )


def _overwritten(circuit: Any) -> set[int]:
    """The places of measurements whose bit a later one writes before an operation that may read it."""
    found: set[int] = set()
    written_later: set[Any] = set()
    for number, instruction in reversed(list(enumerate(circuit.data))):
        if instruction.name in _READING_BITS:
            written_later.clear()
        elif instruction.name == "measure":
            (bit,) = instruction.clbits
            if bit in written_later:
                found.add(number)
            written_later.add(bit)
    return found


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
