"""Reduces a circuit to the light cone of its measurements: operations on which no measurement depends are left out."""

from collections.abc import Collection, Sequence
from typing import Any

from qiskit.circuit import QuantumCircuit

from ketline.execution.circuit.operations import Step


def light_cone(
    steps: Sequence[Step], qubits: int, watched: Collection[int], *, keep_all: bool
) -> tuple[set[int], list[Step]]:
    """The qubits, by index, and the operations on which measurements or the final state of `watched` qubits depend.

    `keep_all` keeps all operations, for circuits with control flow, whose operations are not known in full.
    """
    seen = set(watched)
    kept: list[Step] = []
    for position in range(len(steps) - 1, -1, -1):
        if len(seen) == qubits:
            kept += steps[position::-1]
            break
        name, operands, _, _ = step = steps[position]
        # A bit that is stored shows in the counts, as a measured one does.
        if keep_all or name in ("measure", "store") or not seen.isdisjoint(operands):
            seen.update(operands)
            kept.append(step)
    return seen, kept[::-1]


def without_first_resets(steps: Sequence[Step]) -> list[Step]:
    """The operations without resets of untouched qubits, with which preparing a state begins."""
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
