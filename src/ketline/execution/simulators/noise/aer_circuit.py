"""The circuit that Aer runs with a noise model: changed where Aer would attach the errors wrongly."""

from typing import Any

from qiskit.circuit import Clbit, ControlFlowOp, QuantumCircuit

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


def with_measured_bit_last(circuit: Any) -> Any:
    """The circuit with its last bit exchanged for a measured one, if it computes on bits and measures none into it.

    With readout errors Aer has no bits beyond the last that is measured: it leaves out what is assigned to them, and
    fails where a formula reads them.
    """
    if not circuit.clbits or _READING_BITS.isdisjoint(instruction.name for instruction in circuit.data):
        return circuit
    measured = _measured_bits(circuit)
    if not measured or circuit.clbits[-1] in measured:
        return circuit
    bits = list(circuit.clbits)
    place = max(number for number, bit in enumerate(bits) if bit in measured)
    bits[place], bits[-1] = bits[-1], bits[place]
    result = QuantumCircuit(circuit.qubits, bits, *circuit.qregs, *circuit.cregs, global_phase=circuit.global_phase)
    for instruction in circuit.data:
        result.append(instruction, copy=False)
    return result


def key_of_declared(program: Program, circuit: Any) -> KeyFormat:
    """As `key_of`, of an outcome of a circuit that `with_spare_bit` and `with_measured_bit_last` have made."""
    declared, convert = program.lowered.circuit.clbits, program.outcome
    mask = (1 << len(declared)) - 1
    moved = next((number for number, bit in enumerate(declared) if circuit.clbits[number] != bit), None)

    def outcome_of(outcome: int) -> int:
        if moved is not None:
            outcome = _exchanged(outcome, moved, len(declared) - 1)
        return outcome & mask if convert is None else convert(outcome & mask)

    return KeyFormat(program.groups, outcome_of)


def _exchanged(outcome: int, one: int, other: int) -> int:
    """An outcome in which two bits have each other's values."""
    differ = (outcome >> one ^ outcome >> other) & 1
    return outcome ^ (differ << one | differ << other)


def _measured_bits(circuit: Any) -> set[Any]:
    """The bits that measurements write, those in blocks too."""
    found: set[Any] = set()
    for instruction in circuit.data:
        if instruction.name == "measure":
            found.update(instruction.clbits)
        elif instruction.is_control_flow():
            for block in instruction.operation.blocks:
                outer = dict(zip(block.clbits, instruction.clbits, strict=True))
                found.update(outer[bit] for bit in _measured_bits(block))
    return found


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
