"""Which qubits of a circuit interact: its connected parts, and an order of them on a line with near partners.

`routing.py` and `entanglement.py` call it.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush


def connected_parts(groups: Iterable[Sequence[int]], qubits: int) -> list[list[int]]:
    """The qubits 0 to `qubits` - 1 in connected parts, each sorted, by their first qubits; each group is connected."""
    parent = list(range(qubits))

    def root(qubit: int) -> int:
        while parent[qubit] != qubit:
            parent[qubit] = qubit = parent[parent[qubit]]
        return qubit

    for first, *others in groups:
        for other in others:
            one, two = sorted((root(first), root(other)))
            parent[two] = one
    parts: dict[int, list[int]] = {}
    for qubit in range(qubits):
        parts.setdefault(root(qubit), []).append(qubit)
    return list(parts.values())


def line_order(groups: Sequence[Sequence[int]], qubits: int) -> list[int]:
    """An order of the qubits on a line in which few groups, the qubits of each gate, reach across each cut.

    Finding the best is NP-hard; this takes their given order, or a greedy one where its gates span less in all. The
    qubits of each connected part are neighbours.
    """
    neighbours: list[set[int]] = [set() for _ in range(qubits)]
    for group in groups:
        for qubit in group:
            neighbours[qubit].update(group)
    for qubit, found in enumerate(neighbours):
        found.discard(qubit)
    given: list[int] = []
    greedy: list[int] = []
    for part in connected_parts(groups, qubits):
        given += part
        greedy += _greedy(part, neighbours)
    return min((given, greedy), key=lambda order: _total_span(groups, order))


def _total_span(groups: Sequence[Sequence[int]], order: Sequence[int]) -> int:
    place = {qubit: number for number, qubit in enumerate(order)}
    total = 0
    for group in groups:
        places = [place[qubit] for qubit in group]
        total += max(places) - min(places)
    return total


def _greedy(part: Sequence[int], neighbours: Sequence[set[int]]) -> list[int]:
    """Append, again and again, the qubit that adds the fewest pairs of neighbours across the cut behind it."""
    # For each qubit: the pairs that it adds less those that it closes, negated closed ones, and the qubit.
    closed = dict.fromkeys(part, 0)
    heap = [(len(neighbours[qubit]), 0, qubit) for qubit in part]
    heapify(heap)
    order: list[int] = []
    while heap:
        _, negated, qubit = heappop(heap)
        if closed.get(qubit) != -negated:
            continue  # it was appended, or has a newer entry
        del closed[qubit]
        order.append(qubit)
        for other in neighbours[qubit] & closed.keys():
            closed[other] += 1
            heappush(heap, (len(neighbours[other]) - 2 * closed[other], -closed[other], other))
    return order
