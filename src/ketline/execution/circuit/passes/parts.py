"""Separates a circuit into parts that do not interact. Used by the automatic choice of a method."""

from collections.abc import Sequence

from ketline.execution.circuit.bit_use import bits_used
from ketline.execution.circuit.operations import Step, count_with_blocks
from ketline.execution.circuit.passes.light_cone import reduced
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.qubit_order import connected_parts


def parts_of(lowered: Lowered, packed: int) -> list[Lowered]:
    """The parts of a circuit, each a circuit on its own qubits and all bits; no two parts use the same bit.

    Parts are packed into one as long as they have no more than `packed` qubits in all. The circuit itself, alone, is
    the answer where all of it interacts.
    """
    packs = _packed(_separate(lowered), packed)
    if len(packs) == 1 or not all(step[1] for step in lowered.steps):
        return [lowered]
    pack_of = {qubit: number for number, pack in enumerate(packs) for qubit in pack}
    steps: list[list[Step]] = [[] for _ in packs]
    for step in lowered.steps:
        steps[pack_of[step[1][0]]].append(step)
    return [_part(lowered, pack, chosen) for pack, chosen in zip(packs, steps, strict=True)]


def _separate(lowered: Lowered) -> list[list[int]]:
    """The qubits of each part; through a bit that several qubits use they interact, too."""
    qubits = lowered.num_qubits
    if lowered.final_measurements is not None:
        return connected_parts([step[1] for step in lowered.steps if len(step[1]) > 1], qubits)
    numbers = {bit: number for number, bit in enumerate(lowered.circuit.clbits)}
    groups = [[*step[1], *(qubits + bit for bit in bits_used(step, numbers))] for step in lowered.steps]
    found = connected_parts([group for group in groups if len(group) > 1], qubits + lowered.num_clbits)
    return [inner for part in found if (inner := [node for node in part if node < qubits])]


def _packed(parts: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    packs: list[list[int]] = [[]]
    for part in sorted(parts, key=len):
        if packs[-1] and len(packs[-1]) + len(part) > most:
            packs.append([])
        packs[-1] += part
    return packs


def _part(lowered: Lowered, qubits: Sequence[int], steps: Sequence[Step]) -> Lowered:
    kept = [lowered.kept_qubits[qubit] for qubit in sorted(qubits)] if lowered.kept_qubits else ()
    return Lowered(reduced(lowered.plain, qubits, steps), count_with_blocks(steps), kept_qubits=kept)
