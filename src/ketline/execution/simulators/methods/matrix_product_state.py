"""Aer's matrix product states, and how wide their bonds can grow."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ketline.domain.gates import GATE_TABLE, applied_by
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.lowering import Lowered, restrict
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.engine import AerEngine, Counted, key_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room

# A tensor for each value of the qubit, and room for the copies that contracting and decomposing it make.
_TENSORS = 2
_COPIES = 3
_GATES = applied_by(Method.MATRIX_PRODUCT_STATE)
_RANK_TWO = frozenset(gate.name for gate in GATE_TABLE if gate.rank_two)
_LOOPS = frozenset({"for_loop", "while_loop"})


class MatrixProductState:
    """A tensor for each qubit, as wide as the entanglement between neighbours."""

    name = Method.MATRIX_PRODUCT_STATE
    uses_threads = False
    gives_values = True

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        bond = bond_dimension(lowered)
        if bond is not None:
            require_room(lowered, matrix_product_bytes(lowered), memory_bytes, f" with bonds of up to {bond}")

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return restrict(lowered, _GATES, max_operations).circuit

    def state_bytes(self, lowered: Lowered) -> int | None:
        return None if bond_dimension(lowered) is None else matrix_product_bytes(lowered)

    def bytes_needed(self, lowered: Lowered) -> int:
        known = self.state_bytes(lowered)
        return _most_bytes(lowered.circuit.num_qubits) if known is None else known

    def seconds(self, lowered: Lowered, shots: int) -> None:
        return None

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        circuit = self.circuit(program.lowered, engine.max_operations)
        return engine.counts(circuit, shots, self.name, options, key_of(program))

    def expect(self, engine: AerEngine, program: Program, operators: Sequence[Any]) -> Sequence[float]:
        return engine.values(self.circuit(program.lowered, engine.max_operations), self.name, operators)


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


def _most_bytes(qubits: int) -> int:
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
