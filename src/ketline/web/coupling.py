"""Drawings of the couplings of a device: a place for each qubit, so that those that are coupled are close.

The page of a device shows them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, dist, pi, sin, sqrt

# Larger devices are not drawn: the page has only their tables.
MAX_DRAWN_QUBITS = 200
MAX_DRAWN_EDGES = 1_000
WIDTH, MARGIN = 800.0, 24.0
# Radii of the circle of a qubit: the largest, and the least that has room for a number.
MAX_RADIUS, LABELLED_RADIUS = 11.0, 8.0
_LOWEST, _HIGHEST = 2 * MARGIN, 560.0
_PIVOTS = 24
_STEPS = 60
# If two places are closer than this, all qubits are on a circle.
_MIN_GAP = 7.0

Place = tuple[float, float]
Edge = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingDrawing:
    """The places of qubits in a drawing of `WIDTH` and `height`, where circles of `radius` do not touch."""

    height: float
    places: Sequence[Place]
    radius: float

    @property
    def labelled(self) -> bool:
        """Whether the circles have room for the numbers of the qubits."""
        return self.radius >= LABELLED_RADIUS


def drawing_of(qubits: int, edges: Sequence[Edge]) -> CouplingDrawing | None:
    """The drawing of a device's couplings; None if it has none, or too many."""
    if not edges or qubits > MAX_DRAWN_QUBITS or len(edges) > MAX_DRAWN_EDGES:
        return None
    height, places = _scaled(_by_distances(qubits, edges))
    if _least_distance(places) < _MIN_GAP:
        height, places = _scaled(_circle(qubits))
    radius = min(MAX_RADIUS, 0.45 * _least_distance(places))
    return CouplingDrawing(height=height, places=places, radius=radius)


def _by_distances(qubits: int, edges: Sequence[Edge]) -> Sequence[Place]:
    """Places whose distances are about those in the graph.

    Source: U. Brandes and C. Pich, "Eigensolver Methods for Progressive Multidimensional Scaling of Large Data",
    Graph Drawing 2006: classical scaling by the distances to some pivots.
    """
    rows = _centred(_distances(qubits, edges))
    size = len(rows[0])
    product = [[sum(row[left] * row[right] for row in rows) for right in range(size)] for left in range(size)]
    first = _largest_eigenvector(product, ())
    second = _largest_eigenvector(product, (first,))
    return [(_dot(row, first), _dot(row, second)) for row in rows]


def _distances(qubits: int, edges: Sequence[Edge]) -> list[list[float]]:
    """The distances of each qubit to the pivots: each pivot is one of those that are farthest from those before."""
    neighbours: list[list[int]] = [[] for _ in range(qubits)]
    for low, high in edges:
        neighbours[low].append(high)
        neighbours[high].append(low)
    columns: list[list[int]] = []
    nearest = [qubits] * qubits
    while len(columns) < min(_PIVOTS, qubits):
        pivot = max(range(qubits), key=nearest.__getitem__)
        columns.append(_steps_from(pivot, neighbours))
        nearest = [min(pair) for pair in zip(nearest, columns[-1], strict=True)]
    return [[float(column[qubit]) for column in columns] for qubit in range(qubits)]


def _steps_from(start: int, neighbours: Sequence[Sequence[int]]) -> list[int]:
    """The number of couplings to each qubit; for one that cannot be reached, more than to any other."""
    steps = [len(neighbours)] * len(neighbours)
    steps[start] = 0
    waiting = deque([start])
    while waiting:
        qubit = waiting.popleft()
        for other in neighbours[qubit]:
            if steps[other] > steps[qubit] + 1:
                steps[other] = steps[qubit] + 1
                waiting.append(other)
    return steps


def _centred(distances: Sequence[Sequence[float]]) -> list[list[float]]:
    """The squares of the distances, less the means of their rows and columns."""
    squares = [[value * value for value in row] for row in distances]
    width = len(squares[0])
    of_rows = [sum(row) / width for row in squares]
    of_columns = [sum(row[column] for row in squares) / len(squares) for column in range(width)]
    mean = sum(of_rows) / len(of_rows)
    return [
        [(value - of_row - of_columns[column] + mean) / -2 for column, value in enumerate(row)]
        for row, of_row in zip(squares, of_rows, strict=True)
    ]


def _largest_eigenvector(matrix: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> list[float]:
    """The eigenvector of the largest eigenvalue of those that are orthogonal to the others, by power iteration."""
    vector = [1.0 + 0.1 * index * (-1) ** index for index in range(len(matrix))]
    for _ in range(_STEPS):
        for other in others:
            part = _dot(vector, other)
            vector = [value - part * along for value, along in zip(vector, other, strict=True)]
        length = sqrt(_dot(vector, vector)) or 1.0
        vector = [value / length for value in vector]
        vector = [_dot(row, vector) for row in matrix]
    length = sqrt(_dot(vector, vector)) or 1.0
    return [value / length for value in vector]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))


def _circle(qubits: int) -> Sequence[Place]:
    return [(sin(2 * pi * number / qubits), -cos(2 * pi * number / qubits)) for number in range(qubits)]


def _scaled(places: Sequence[Place]) -> tuple[float, Sequence[Place]]:
    """The height of the drawing, and these places in it, as far apart as it permits."""
    across, down = (sorted(values) for values in zip(*places, strict=True))
    width, height = across[-1] - across[0], down[-1] - down[0]
    scale = min((WIDTH - 2 * MARGIN) / (width or 1.0), (_HIGHEST - 2 * MARGIN) / (height or 1.0))
    left = (WIDTH - width * scale) / 2
    moved = [((x - across[0]) * scale + left, (y - down[0]) * scale + MARGIN) for x, y in places]
    return max(_LOWEST, height * scale + 2 * MARGIN), moved


def _least_distance(places: Sequence[Place]) -> float:
    return min(dist(one, other) for number, one in enumerate(places) for other in places[:number])
