"""A circuit that measures, resets, branches or loops before its end, as it is executed. Used by the methods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ketline.execution.circuit.bit_use import without_final_measurements
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.branches.conditions import NotVectorized
from ketline.execution.simulators.branches.flow import Gates, Instruction, Jump, Measure, Reset, flow_of

_CACHED_FLOWS = 64


@dataclass(frozen=True, slots=True)
class BranchingCircuit:
    """Instructions, and after them measurements of qubits into bits, by index, whose outcomes are drawn all at once."""

    qubits: int
    bits: int
    flow: Sequence[Instruction]
    final: Sequence[tuple[int, int]]


@lru_cache(_CACHED_FLOWS)
def branching_circuit(lowered: Lowered) -> BranchingCircuit | None:
    """A lowered circuit in this form; None where it has an operation or an expression that only Aer evaluates."""
    bits = lowered.circuit.clbits
    steps, final = without_final_measurements(lowered.steps, bits)
    try:
        flow = flow_of(steps, lowered.num_qubits, bits)
    except NotVectorized:
        return None
    return BranchingCircuit(lowered.num_qubits, lowered.num_clbits, flow, final)


def most_divisions(circuit: BranchingCircuit, shots: int) -> int:
    """How often a shot can come to a measurement or a reset before the end; `shots` where there are loops."""
    for number, instruction in enumerate(circuit.flow):
        if isinstance(instruction, Jump) and instruction.target <= number:
            return shots
    return sum(isinstance(instruction, (Measure, Reset)) for instruction in circuit.flow)


def expected_histories(circuit: BranchingCircuit, shots: int) -> Iterator[tuple[Instruction | None, int]]:
    """Each instruction, with about how many histories of outcomes shots have had before it; None for the end.

    Each measurement doubles them, unless no gate has acted on its qubit since the last one; a condition holds for half
    of them. Turns of a `while` loop after the first are left out.
    """
    histories, branch_end, collapsed = 1, 0, set(range(circuit.qubits))
    for number, instruction in enumerate(circuit.flow):
        yield instruction, histories if number >= branch_end else max(1, histories // 2)
        match instruction:
            case Gates(steps):
                collapsed.difference_update(*(qubits for _, qubits, _, _, _ in steps))
            case Measure(qubit=qubit) | Reset(qubit=qubit):
                histories = histories if qubit in collapsed else min(shots, 2 * histories)
                collapsed.add(qubit)
            case Jump(unless=condition, target=target) if condition is not None:
                branch_end = max(branch_end, target)
            case _:
                pass
    yield None, histories
