"""The operations of a circuit as plain values, here called steps; `plain.py` has whole circuits of them.

Lowering and what it calls read circuits in this form.

Each access to the instructions of Qiskit's circuit would create a new object.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from qiskit.circuit import CircuitInstruction

# An operation: its name, its qubits and bits by index, its parameters (numbers, or the matrix of `unitary`), and what
# `instruction_of` makes Qiskit's instruction of. Simulators that do not run Qiskit's circuits read the first four.
Step = tuple[str, Sequence[int], Sequence[int], Sequence[Any], Any]

# Operations that are no gates, and change neither the state nor any bit.
NO_EFFECT = frozenset({"barrier", "delay"})

LOOPS_AND_BRANCHES = frozenset({"if_else", "for_loop", "while_loop"})

_name_of = itemgetter(0)


def steps_of(circuit: Any) -> list[Step]:
    """The steps of a circuit of Qiskit's in order; a control-flow operation is one step, without parameters."""
    qubits = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    bits = {bit: number for number, bit in enumerate(circuit.clbits)}
    return [
        (
            instruction.name,
            [qubits[qubit] for qubit in instruction.qubits],
            [bits[bit] for bit in instruction.clbits],
            _parameters_in(instruction),
            instruction,
        )
        for instruction in circuit.data
    ]


def _parameters_in(instruction: CircuitInstruction) -> Sequence[Any]:
    if instruction.is_standard_gate():
        return list(instruction.params)
    if instruction.name == "unitary":
        return list(instruction.operation.params)  # those of the instruction are empty
    return () if instruction.is_control_flow() else list(instruction.params)


def blocks_of(step: Step) -> Sequence[Any]:
    """The circuits of the blocks of a branch or a loop; nothing for other operations."""
    name, _, _, _, source = step
    return source.operation.blocks if name in LOOPS_AND_BRANCHES else ()


def parameters_of(step: Step) -> Sequence[Any]:
    """The parameters of a step: angles in radians, or the matrix of `unitary`."""
    return step[3]


def instruction_of(step: Step, qubits: Sequence[Any], bits: Sequence[Any]) -> CircuitInstruction:
    """Qiskit's instruction for a step, on these qubits and bits of a circuit."""
    _, _, _, parameters, source = step
    if isinstance(source, CircuitInstruction):
        return source.replace(qubits=qubits, clbits=bits)
    return CircuitInstruction.from_standard(source, qubits, parameters)


def instructions_of(circuit: Any, steps: Sequence[Step]) -> Iterator[CircuitInstruction]:
    """Qiskit's instructions for steps, on the qubits and bits of a circuit."""
    qubits, bits = circuit.qubits, circuit.clbits
    for step in steps:
        _, operands, written, _, _ = step
        yield instruction_of(step, [qubits[operand] for operand in operands], [bits[bit] for bit in written])


def matrix_of(step: Step) -> Any:
    """Qiskit's matrix of a gate; bit j of an index is the gate's j-th qubit."""
    parameters, source = step[3:]
    if isinstance(source, CircuitInstruction):
        return source.operation.to_matrix()
    return source.gate_class(*parameters).to_matrix()


def count_operations(steps: Sequence[Step]) -> Counter[str]:
    """The number of operations by name, in the order of the first of each; a control-flow operation counts as one."""
    return Counter(map(_name_of, steps))


def count_with_blocks(steps: Sequence[Step]) -> Counter[str]:
    """As `count_operations`, with the operations inside of blocks, once for each block."""
    found = count_operations(steps)
    if not LOOPS_AND_BRANCHES.isdisjoint(found):
        for block in (block for step in steps for block in blocks_of(step)):
            names = block.count_ops()
            found.update(names if LOOPS_AND_BRANCHES.isdisjoint(names) else count_with_blocks(steps_of(block)))
    return found


def final_measurements(steps: Sequence[Step]) -> Sequence[tuple[int, int]] | None:
    """The measured qubits with the bits that they write, for steps that only apply gates and measure.

    None if an operation uses a qubit that was measured before, or a bit is written twice.
    """
    found: dict[int, int] = {}
    for name, qubits, bits, _, _ in steps:
        if found and not found.keys().isdisjoint(qubits):
            return None
        if name == "measure":
            found[qubits[0]] = bits[0]
    return list(found.items()) if len(set(found.values())) == len(found) else None


def depth_of(steps: Sequence[Step], qubits: int, bits: int) -> int:
    """The length of the longest path through operations that share qubits or bits, like `QuantumCircuit.depth`."""
    levels = [0] * (qubits + bits)
    for _, wires, written, _, _ in steps:
        if written:
            wires = [*wires, *(qubits + bit for bit in written)]
        # Most operations have one or two wires, for which this is several times faster than the general case.
        if len(wires) == 1:
            levels[wires[0]] += 1
        elif len(wires) == 2:
            one, other = wires
            levels[one] = levels[other] = 1 + (levels[one] if levels[one] > levels[other] else levels[other])
        else:
            level = 1 + max([levels[wire] for wire in wires])
            for wire in wires:
                levels[wire] = level
    return max(levels, default=0)
