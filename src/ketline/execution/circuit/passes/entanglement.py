"""Bounds on the entanglement in one shot of a circuit that measures, resets or branches before its end.

The method `matrix_product_state` bounds the memory of such a circuit by it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.qubit_order import line_order

_RANK_TWO = frozenset(gate.name for gate in GATE_TABLE if gate.rank_two)
_LOOPS = frozenset({"for_loop", "while_loop"})
_COLLAPSING = frozenset({"measure", "reset"})
# Qubits times measurements and resets; more take a second.
_MAX_CAPPED = 1 << 22


def order_of(circuit: Any) -> list[int]:
    """An order of a circuit's qubits on a line in which those that interact are near each other; also in branches."""
    place = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    groups = [places for _, places, _ in _operations(circuit, place) if len(places) > 1]
    return line_order(groups, circuit.num_qubits)


def bonds_of_a_shot(lowered: Lowered) -> list[int] | None:
    """Logarithms to base 2 of bounds on the bond dimensions of a shot's state, as a matrix product in `order_of`.

    They are for the cuts before, between and after the qubits. None where loops make the operations unknown. An
    operation across a cut multiplies the rank there by at most its own operator Schmidt rank, and a measurement or a
    reset leaves a qubit that is entangled with no other.
    """
    if not _LOOPS.isdisjoint(lowered.operations):
        return None
    circuit = lowered.circuit
    order = range(circuit.num_qubits) if lowered.operations["store"] else order_of(circuit)
    place = {circuit.qubits[qubit]: number for number, qubit in enumerate(order)}
    collapses = sum(lowered.operations[name] for name in _COLLAPSING)
    bounds = _Bounds(len(order), caps=len(order) * collapses <= _MAX_CAPPED)
    for name, places, is_sure in _operations(circuit, place):
        if name not in _COLLAPSING:
            bounds.act(name, places)
        elif is_sure:
            bounds.collapse(places[0])
    return bounds.widest


class _Bounds:
    """Bounds after each operation, and the `widest` of each cut; with `caps` also those that measurements lead to."""

    def __init__(self, places: int, *, caps: bool) -> None:
        self.widest = [0] * (places + 1)
        self._logs = [0] * (places + 1)
        self._caps = caps
        # For each place the number of its cluster, and the places of each: different clusters are not entangled.
        self._cluster = list(range(places))
        self._members = [{place} for place in range(places)]

    def act(self, name: str, places: Sequence[int]) -> None:
        logs, last = self._logs, len(places) - 1
        for number, (left, right) in enumerate(pairwise(places)):
            bits = 1 if name in _RANK_TWO else 2 * min(number + 1, last - number)
            self._join(left, right)
            for cut in range(left + 1, right + 1):
                logs[cut] = min(logs[cut] + bits, cut, len(logs) - 1 - cut)
                self.widest[cut] = max(self.widest[cut], logs[cut])

    def collapse(self, place: int) -> None:
        members = self._members[self._cluster[place]]
        if len(members) > 1:
            members.remove(place)
            self._cluster[place] = len(self._members)
            self._members.append({place})
        if self._caps:
            self._cap()

    def _join(self, one: int, other: int) -> None:
        small, large = sorted((self._cluster[one], self._cluster[other]), key=lambda number: len(self._members[number]))
        if small != large:
            for place in self._members[small]:
                self._cluster[place] = large
            self._members[large] |= self._members[small]
            self._members[small] = set()

    def _cap(self) -> None:
        """Each cluster has as many bits of entanglement across a cut as it has qubits on the smaller side."""
        left_of_cut: dict[int, int] = {}
        total = 0
        for cut, cluster in enumerate(self._cluster, 1):
            size, left = len(self._members[cluster]), left_of_cut.get(cluster, 0)
            total += min(left + 1, size - left - 1) - min(left, size - left)
            left_of_cut[cluster] = left + 1
            self._logs[cut] = min(self._logs[cut], total)


def _operations(circuit: Any, place: dict[Any, int], *, is_sure: bool = True) -> Iterator[tuple[str, list[int], bool]]:
    """The name and sorted places of each operation, and whether it always happens: not so in a branch."""
    for instruction in circuit.data:
        blocks = getattr(instruction.operation, "blocks", ())
        for block in blocks:
            inner = {qubit: place[outer] for qubit, outer in zip(block.qubits, instruction.qubits, strict=True)}
            yield from _operations(block, inner, is_sure=False)
        if not blocks:
            yield instruction.operation.name, sorted(place[qubit] for qubit in instruction.qubits), is_sure
