"""Corrects the branches of a circuit that Qiskit's reader builds differently from the OpenQASM 2 program.

`reader.py` calls it.
"""

from collections.abc import Iterator
from typing import Any

from qiskit.circuit import IfElseOp, QuantumCircuit

from ketline.execution.frontend.openqasm2.outline import Outline


def with_plain_conditions(circuit: Any, outline: Outline) -> Any:
    """The circuit without branches that are never taken, each measurement of a register under one condition.

    A register never equals a number that it cannot hold. `if (c == 0) measure q -> c;` compares once, but Qiskit's
    reader compares before each bit, after some bits have been measured.
    """
    plain = circuit.copy_empty_like()
    widths = iter(outline.conditional_measurements) if outline.decides_own_bits else None
    for instruction in _joined(circuit, widths):
        if not _is_never_taken(instruction.operation):
            plain.append(instruction, copy=False)
    return plain


def _is_never_taken(operation: Any) -> bool:
    if not isinstance(operation, IfElseOp):  # a gate of the program may have its name
        return False
    register, value = operation.condition
    return bool(value >> len(register))


def _joined(circuit: Any, widths: Iterator[int] | None) -> Iterator[Any]:
    """The instructions, with those of one conditional measurement of a register joined."""
    pending = iter(circuit.data)
    for instruction in pending:
        operation = instruction.operation
        if (
            widths is None
            or not isinstance(operation, IfElseOp)
            or operation.blocks[0].data[0].operation.name != "measure"
        ):
            yield instruction
            continue
        parts = [instruction, *(next(pending) for _ in range(next(widths) - 1))]
        yield instruction if len(parts) == 1 else _as_one(parts)


def _as_one(parts: list[Any]) -> Any:
    """One branch that replaces several with the same condition, each of which measures one qubit."""
    qubits = list(dict.fromkeys(qubit for part in parts for qubit in part.qubits))
    bits = list(dict.fromkeys(bit for part in parts for bit in part.clbits))
    body = QuantumCircuit(qubits, bits)
    for part in parts:
        block = part.operation.blocks[0]
        outer = dict(zip([*block.qubits, *block.clbits], [*part.qubits, *part.clbits], strict=True))
        (measurement,) = block.data
        body.append(
            measurement.operation,
            [outer[qubit] for qubit in measurement.qubits],
            [outer[bit] for bit in measurement.clbits],
        )
    return parts[0].replace(operation=IfElseOp(parts[0].operation.condition, body), qubits=qubits, clbits=bits)
