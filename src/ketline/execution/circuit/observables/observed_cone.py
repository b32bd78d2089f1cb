"""Reduces a circuit that may measure, branch and compute on bits to the operations on which some qubits' state depends.

`lowering.py` calls it for observables. Other than counts, these do not depend on the bits, but branches may.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ketline.execution.circuit.bit_use import bits_in, bits_used
from ketline.execution.circuit.named_places import PLACE
from ketline.execution.circuit.operations import Step, blocks_of, steps_of


def observed_cone(
    steps: Sequence[Step], watched: Collection[int], bits: Sequence[Any], watched_bits: Collection[int]
) -> tuple[set[int], Sequence[Step]]:
    """The operations on which the state of `watched` qubits or the `watched_bits` depend, and the qubits they act on.

    `bits` are Qiskit's, by index. Of a branch or a loop all is kept, or nothing. A measurement of another qubit changes
    nothing unless its bit is read. The qubits of a named place are watched there.
    """
    numbers = {bit: number for number, bit in enumerate(bits)}
    cone, kept, read = set(watched), set(watched), set(watched_bits)
    needed: list[Step] = []
    for step in reversed(steps):
        used = bits_used(step, numbers)
        written = _written(step, numbers)
        is_needed = step[0] == PLACE or not (cone.isdisjoint(step[1]) and read.isdisjoint(written))
        if not (is_needed or _may_never_end(step)):
            continue
        needed.append(step)
        kept.update(step[1])
        if step[0] == "reset":
            cone.difference_update(step[1])
        else:
            cone.update(step[1])
        if step[0] == "measure":
            read -= used
        else:
            read |= used
    needed.reverse()
    return kept, needed


def _written(step: Step, numbers: Mapping[Any, int]) -> set[int]:
    """The bits that an operation may write."""
    if step[0] == "store":
        return {numbers[bit] for bit in bits_in(step[4].operation.lvalue)}
    return set(step[2])


def _may_never_end(step: Step) -> bool:
    return step[0] == "while_loop" or any(_may_never_end(inner) for inner in _inside(step))


def _inside(step: Step) -> Iterator[Step]:
    for block in blocks_of(step):
        yield from steps_of(block)
