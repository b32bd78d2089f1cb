"""The operations of a circuit as plain values, here called steps.

Each access to the instructions of Qiskit's circuit would create a new object.
"""

from collections.abc import Sequence
from typing import Any

# An operation: its name, its qubits and bits by index, and its Qiskit instruction.
Step = tuple[str, list[int], list[int], Any]


def steps_of(circuit: Any) -> list[Step]:
    """The steps of a circuit in order; a control-flow operation is one step."""
    qubits = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    bits = {bit: number for number, bit in enumerate(circuit.clbits)}
    return [
        (
            instruction.name,
            [qubits[qubit] for qubit in instruction.qubits],
            [bits[bit] for bit in instruction.clbits],
            instruction,
        )
        for instruction in circuit.data
    ]


def final_measurements(steps: Sequence[Step]) -> Sequence[tuple[int, int]] | None:
    """The measured qubits with the bits that they write, for steps that only apply gates and measure.

    None if an operation uses a qubit that was measured before, or a bit is written twice.
    """
    found: dict[int, int] = {}
    for name, qubits, bits, _ in steps:
        if found and not found.keys().isdisjoint(qubits):
            return None
        if name == "measure":
            found[qubits[0]] = bits[0]
    return list(found.items()) if len(set(found.values())) == len(found) else None


def depth_of(steps: Sequence[Step], qubits: int, bits: int) -> int:
    """The length of the longest path through operations that share qubits or bits, like `QuantumCircuit.depth`."""
    levels = [0] * (qubits + bits)
    for _, operands, written, _ in steps:
        if len(operands) == 1 and not written:
            levels[operands[0]] += 1
            continue
        touched = [*operands, *(qubits + bit for bit in written)]
        level = 1 + max([levels[wire] for wire in touched])
        for wire in touched:
            levels[wire] = level
    return max(levels, default=0)
