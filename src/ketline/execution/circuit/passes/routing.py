"""Makes the qubits of each gate neighbours on a line, by swaps: what a matrix product state applies.

The method `matrix_product_state` routes its circuits by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.execution.circuit.operations import NO_EFFECT, Step
from ketline.execution.circuit.passes.qubit_order import line_order

# A gate, None for a swap of neighbours that the program does not have, and its places.
Part = tuple[Step | None, tuple[int, ...]]

_RANK_TWO = frozenset(gate.name for gate in GATE_TABLE if gate.rank_two)
_IGNORED = NO_EFFECT | {"measure"}
_BITS_OF_A_SWAP = 2
_PAIR = 2


@dataclass(slots=True)
class Block:
    """A product of gates on `width` neighbouring places of the line, from `place` on.

    `parts` are its gates in order, each with the offsets from `place` of its qubits. `bits` is the logarithm to base 2
    of a bound on the product's operator Schmidt rank, at each cut between its places.
    """

    place: int
    width: int
    parts: list[Part]
    bits: int


@dataclass(slots=True)
class Route:
    """The blocks of a circuit in order, and for each qubit its place when all have been applied."""

    blocks: list[Block]
    places: list[int]


class RouteTooLong(Exception):
    """It has more blocks than allowed: qubits that interact are far from each other, and many."""


def route(steps: Sequence[Step], qubits: int, most_blocks: int) -> Route:
    """Place qubits on a line and make those of every gate neighbours; measurements are left out.

    Raises:
        RouteTooLong: the route has more than `most_blocks` blocks.
    """
    gates = [step for step in steps if step[0] not in _IGNORED]
    groups = [operands for _, operands, _, _, _ in gates if len(operands) > 1]
    router = _Router(line_order(groups, qubits), groups, most_blocks)
    for gate in gates:
        router.add(gate)
    return Route(router.blocks, router.places)


@dataclass
class _Partners:
    """The next qubits that each qubit interacts with."""

    queues: list[list[int]] = field(default_factory=list)

    @classmethod
    def of(cls, groups: Sequence[Sequence[int]], qubits: int) -> "_Partners":
        queues: list[list[int]] = [[] for _ in range(qubits)]
        for group in reversed(groups):
            for number, qubit in enumerate(group):
                queues[qubit].append(group[number - 1])
        return cls(queues)

    def drop(self, group: Sequence[int]) -> None:
        for qubit in group:
            self.queues[qubit].pop()

    def next_of(self, qubit: int) -> int | None:
        queue = self.queues[qubit]
        return queue[-1] if queue else None


class _Router:
    def __init__(self, order: Sequence[int], groups: Sequence[Sequence[int]], most_blocks: int) -> None:
        self.blocks: list[Block] = []
        self.places = [0] * len(order)
        for place, qubit in enumerate(order):
            self.places[qubit] = place
        self._qubits = list(order)
        self._newest = [-1] * len(order)  # for each place the last block there
        self._partners = _Partners.of(groups, len(order))
        self._most_blocks = most_blocks

    def add(self, gate: Step) -> None:
        name, operands = gate[:2]
        if len(operands) > 1:
            self._partners.drop(operands)
        if name == "swap":
            self._rename(operands[0], operands[1])
            return
        self._bring_together(operands)
        bits = 1 if name in _RANK_TWO else 2 * (len(operands) // 2)
        self._append(gate, [self.places[qubit] for qubit in operands], bits)

    def _rename(self, one: int, two: int) -> None:
        self.places[one], self.places[two] = self.places[two], self.places[one]
        self._qubits[self.places[one]], self._qubits[self.places[two]] = one, two

    def _append(self, gate: Step | None, places: Sequence[int], bits: int) -> None:
        first, last = min(places), max(places)
        newest = self._newest[first]
        if newest >= 0 and all(self._newest[place] == newest for place in range(first + 1, last + 1)):
            block = self.blocks[newest]
            block.bits = min(block.bits + bits, 2 * (block.width // 2))
        else:
            if len(self.blocks) == self._most_blocks:
                raise RouteTooLong
            self._newest[first : last + 1] = [len(self.blocks)] * (last + 1 - first)
            block = Block(first, last + 1 - first, [], bits)
            self.blocks.append(block)
        block.parts.append((gate, tuple(place - block.place for place in places)))

    def _bring_together(self, operands: Sequence[int]) -> None:
        ordered = sorted(operands, key=self.places.__getitem__)
        anchor = len(ordered) // 2
        if len(ordered) == _PAIR and self.places[ordered[1]] - self.places[ordered[0]] > 1:
            anchor = self._anchor(*ordered)
        for number in range(anchor - 1, -1, -1):
            self._move(ordered[number], self.places[ordered[number + 1]] - 1)
        for number in range(anchor + 1, len(ordered)):
            self._move(ordered[number], self.places[ordered[number - 1]] + 1)

    def _anchor(self, left: int, right: int) -> int:
        """Which of two qubits, 0 or 1, is to stay where it is, so that both are near their next partners."""
        here, there = self.places[left], self.places[right]
        stays_left = self._distance(left, here) + self._distance(right, here + 1)
        stays_right = self._distance(left, there - 1) + self._distance(right, there)
        return 0 if stays_left < stays_right else 1

    def _distance(self, qubit: int, place: int) -> int:
        partner = self._partners.next_of(qubit)
        return 0 if partner is None else abs(self.places[partner] - place)

    def _move(self, qubit: int, target: int) -> None:
        place = self.places[qubit]
        step = 1 if target > place else -1
        for here in range(place, target, step):
            self._append(None, sorted((here, here + step)), _BITS_OF_A_SWAP)
            self._rename(qubit, self._qubits[here + step])
