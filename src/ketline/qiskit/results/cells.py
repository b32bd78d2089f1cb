"""The PUBs or circuits of a job and their points, as its tasks store them."""

from collections.abc import Iterator, Sequence
from itertools import groupby

# A point of a PUB: the PUB and the point by index.
Cell = tuple[int, int]


def stored_with(of_tasks: Sequence[Sequence[int]], total: int) -> list[list[int]]:
    """The PUBs or circuits, by index, that each task stores: its own, and the first task also those of no task."""
    own = [list(dict.fromkeys(each)) for each in of_tasks]
    if own:
        own[0] += sorted(set(range(total)).difference(*own))
    return own


def ranges_of(cells: Sequence[Cell]) -> Iterator[list[int]]:
    """Cells as lists of a PUB, its first point and the number of points that follow each other."""
    for (pub, _), group in groupby(enumerate(cells), key=lambda each: (each[1][0], each[1][1] - each[0])):
        points = [point for _, (_, point) in group]
        yield [pub, points[0], len(points)]


def cells_of(ranges: Sequence[Sequence[int]]) -> Iterator[Cell]:
    return ((pub, point) for pub, first, number in ranges for point in range(first, first + number))
