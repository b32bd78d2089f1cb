"""Leaves out of a circuit what no measurement, and nobody who looks at its final state, can see."""

from collections.abc import Collection, Sequence
from typing import Any

from qiskit.circuit import QuantumCircuit

from ketline.execution.circuit.operations import Step


def seen_steps(
    steps: Sequence[Step], qubits: int, watched: Collection[int], *, all_of_them: bool
) -> tuple[set[int], list[Step]]:
    """The qubits, by index, and the operations that a measurement, or who looks at the qubits `watched`, needs.

    Of operations inside of control flow not all is known: with `all_of_them` they are all kept.
    """
    seen = set(watched)
    kept: list[Step] = []
    for position in range(len(steps) - 1, -1, -1):
        if len(seen) == qubits:
            kept += steps[position::-1]
            break
        name, operands, _, _ = step = steps[position]
        # What is stored in a bit is seen, as what is measured.
        if all_of_them or name in ("measure", "store") or not seen.isdisjoint(operands):
            seen.update(operands)
            kept.append(step)
    return seen, kept[::-1]


def without_first_resets(steps: Sequence[Step]) -> list[Step]:
    """The operations but resets of qubits that nothing has been done to; whoever prepares a state begins so."""
    touched: set[int] = set()
    kept: list[Step] = []
    for step in steps:
        name, operands, _, _ = step
        if name == "reset" and touched.isdisjoint(operands):
            continue
        touched.update(operands)
        kept.append(step)
    return kept


def rebuilt(circuit: Any, qubits: Collection[int], steps: Sequence[Step]) -> Any:
    """A circuit of these operations on these of its qubits and all of its bits."""
    result = QuantumCircuit([qubit for number, qubit in enumerate(circuit.qubits) if number in qubits], circuit.clbits)
    for register in circuit.cregs:
        result.add_register(register)
    for _, _, _, instruction in steps:
        result.append(instruction, copy=False)
    return result
