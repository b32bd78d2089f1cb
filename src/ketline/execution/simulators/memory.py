"""How much memory a state takes, known before anything is allocated."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import Any

from ketline.domain.gates import GATE_TABLE
from ketline.domain.spec import Method
from ketline.execution.circuit.lowering import Lowered

BYTES_PER_AMPLITUDE = 16
# A tensor for each value of the qubit, and room for the copies that contracting and decomposing it make.
_TENSORS = 2
_COPIES = 3
_RANK_TWO = frozenset(gate.name for gate in GATE_TABLE if gate.rank_two)
_LOOPS = frozenset({"for_loop", "while_loop"})


def statevector_bytes(qubits: int) -> int:
    """2^n complex numbers."""
    return BYTES_PER_AMPLITUDE << qubits


def density_matrix_bytes(qubits: int) -> int:
    """4^n complex numbers."""
    return BYTES_PER_AMPLITUDE << 2 * qubits


def state_bytes(lowered: Lowered, method: Method) -> int | None:
    """What the state takes at most by this method; None where that is not known before it is simulated."""
    qubits = lowered.circuit.num_qubits
    match method:
        case Method.STATEVECTOR:
            return statevector_bytes(qubits)
        case Method.DENSITY_MATRIX:
            return density_matrix_bytes(qubits)
        case Method.STABILIZER | Method.STIM:
            return tableau_bytes(qubits)
        case Method.MATRIX_PRODUCT_STATE if bond_dimension(lowered) is not None:
            return matrix_product_bytes(lowered)
        case _:
            return None


def tableau_bytes(qubits: int) -> int:
    """2n rows of 2n bits and a sign. Source: S. Aaronson and D. Gottesman, Phys. Rev. A 70, 052328 (2004)."""
    return ceil(2 * qubits * (2 * qubits + 1) / 8)


def bond_dimension(lowered: Lowered) -> int | None:
    """The largest bond dimension that the state, as a matrix product in the order of its qubits, can come to.

    Every operation across a cut multiplies the rank there by at most its own operator Schmidt rank, and the smaller
    side of the cut bounds it. None when loops make the number of operations unknown.

    Source: G. Vidal, Phys. Rev. Lett. 91, 147902 (2003).
    """
    logs = _bond_logs(lowered)
    return None if logs is None else 1 << max(logs, default=0)


def matrix_product_bytes(lowered: Lowered) -> int:
    """What the tensors of that matrix product take; for circuits whose `bond_dimension` is known."""
    return _tensor_bytes([0, *(_bond_logs(lowered) or ()), 0])


def most_matrix_product_bytes(qubits: int) -> int:
    """What they take where nothing bounds the bonds but the number of qubits on either side."""
    logs = [min(cut, qubits - cut) for cut in range(qubits + 1)]
    return _tensor_bytes(logs)


def _tensor_bytes(logs: Sequence[int]) -> int:
    """What the tensors between such bonds take, given by their logarithms to base 2."""
    return sum(_COPIES * _TENSORS * BYTES_PER_AMPLITUDE << left + right for left, right in pairwise(logs))


def _bond_logs(lowered: Lowered) -> list[int] | None:
    """Logarithm to base 2 of the bond dimension at each of the n - 1 cuts."""
    if not _LOOPS.isdisjoint(lowered.operations):
        return None
    circuit = lowered.circuit
    qubits = circuit.num_qubits
    place = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    logs = [0] * max(0, qubits - 1)
    for name, places in _operations(circuit, place):
        last = len(places) - 1
        for number, (left, right) in enumerate(pairwise(places)):
            bits = 1 if name in _RANK_TWO else 2 * min(number + 1, last - number)
            for cut in range(left, right):
                logs[cut] += bits
    return [min(bits, cut + 1, qubits - 1 - cut) for cut, bits in enumerate(logs)]


def _operations(circuit: Any, place: dict[Any, int]) -> Iterator[tuple[str, list[int]]]:
    for instruction in circuit.data:
        blocks = getattr(instruction.operation, "blocks", ())
        for block in blocks:
            inner = {qubit: place[outer] for qubit, outer in zip(block.qubits, instruction.qubits, strict=True)}
            yield from _operations(block, inner)
        if not blocks:
            yield instruction.operation.name, sorted(place[qubit] for qubit in instruction.qubits)
