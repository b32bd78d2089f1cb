"""Reduces a circuit to the light cone of its measurements: leaves out operations on which none of them depends.

`lowering.py` calls it.
"""

from collections.abc import Collection, Sequence
from typing import Any

from qiskit.circuit import QuantumCircuit

from ketline.execution.circuit.named_places import PLACE
from ketline.execution.circuit.operations import Step, blocks_of, instructions_of, steps_of
from ketline.execution.circuit.plain import PlainCircuit

# A bit that is stored shows in the counts, as a measured one does; outputs show the state at a named place.
_SHOWN = frozenset({"measure", "store", "while_loop", PLACE})


def light_cone(steps: Sequence[Step], qubits: int, watched: Collection[int]) -> tuple[set[int], Sequence[Step]]:
    """The operations on which bits, or the final state of `watched` qubits, depend, and the qubits that they act on.

    Of a branch or a loop all is kept, or nothing. What precedes a reset of a qubit matters for other qubits only.
    """
    cone, kept = set(watched), set(watched)
    needed: list[Step] = []
    resets = any(step[0] == "reset" for step in steps)
    for position in range(len(steps) - 1, -1, -1):
        step = steps[position]
        operands = step[1]
        if len(cone) == qubits and not resets:
            needed += steps[position::-1]
            break
        if cone.isdisjoint(operands) and not is_always_needed(step):
            continue
        needed.append(step)
        kept.update(operands)
        if step[0] == "reset":
            cone.difference_update(operands)
        else:
            cone.update(operands)
    needed.reverse()
    return kept, needed


def is_always_needed(step: Step) -> bool:
    """Whether an operation writes a bit, which shows in the counts, is a named place, or may never end."""
    if step[0] in _SHOWN:
        return True
    return any(is_always_needed(inner) for block in blocks_of(step) for inner in steps_of(block))


def without_first_resets(steps: Sequence[Step]) -> list[Step]:
    """The operations without resets of untouched qubits, with which preparing a state begins."""
    touched: set[int] = set()
    rest: list[Step] = []
    for step in steps:
        operands = step[1]
        if step[0] == "reset" and touched.isdisjoint(operands):
            continue
        touched.update(operands)
        rest.append(step)
    return rest


def reduced(plain: PlainCircuit, qubits: Collection[int], steps: Sequence[Step]) -> PlainCircuit:
    """A circuit of these operations on these of its qubits and all of its bits."""
    kept = sorted(qubits)
    if len(kept) < plain.num_qubits:
        numbers = {qubit: number for number, qubit in enumerate(kept)}
        steps = [
            (name, [numbers[qubit] for qubit in operands], bits, parameters, source)
            for name, operands, bits, parameters, source in steps
        ]
    return PlainCircuit(len(kept), plain.num_clbits, lambda: steps, lambda: rebuilt(plain.circuit, kept, steps))


def rebuilt(circuit: Any, qubits: Sequence[int], steps: Sequence[Step]) -> Any:
    """Qiskit's circuit of steps on some qubits of a circuit and all of its bits.

    `qubits` are the indices of the qubits there, in order; the steps number them from 0.
    """
    result = QuantumCircuit([circuit.qubits[qubit] for qubit in qubits], circuit.clbits)
    for register in circuit.cregs:
        result.add_register(register)
    for instruction in instructions_of(result, steps):
        result.append(instruction, copy=False)
    return result


def reordered(circuit: Any, order: Sequence[int]) -> Any:
    """The same circuit with its qubits in this order, given by their indices."""
    result = QuantumCircuit([circuit.qubits[number] for number in order], circuit.clbits)
    for register in circuit.cregs:
        result.add_register(register)
    for instruction in circuit.data:
        result.append(instruction, copy=False)
    return result
