"""The places of statements and the names of declarations in a program's text, which Qiskit's circuits do not store.

Front ends record them; errors and conversions read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ketline.execution.frontend.text import Position


class PlacedOperations(NamedTuple):
    """The operations of a circuit from `first` up to `end`, by index, and the statement that wrote them."""

    first: int
    end: int
    position: Position


@dataclass(slots=True)
class DeclaredNames:
    """The names of a program's declarations.

    `qubits` has those of single qubits and of registers, by the position of the first qubit, `bits` those of single
    bits, by their position among the bits of the groups.
    """

    qubits: dict[int, str] = field(default_factory=dict)
    bits: dict[int, str] = field(default_factory=dict)


class PlaceRecorder:
    """Records which operations of a circuit each statement wrote, inner statements before outer ones."""

    def __init__(self) -> None:
        self.places: list[PlacedOperations] = []

    def record(self, node: Any, first: int, end: int) -> None:
        """Record these operations, by index, as those of a node of the syntax tree; there may be none."""
        span = node.span
        if end > first and span is not None:
            position = Position(span.start_line, span.start_column + 1)
            self.places.append(PlacedOperations(first, end, position))


def place_of(places: Sequence[PlacedOperations], operation: int) -> Position | None:
    """The place of the innermost statement that wrote an operation, by its index."""
    return next((one.position for one in places if one.first <= operation < one.end), None)
