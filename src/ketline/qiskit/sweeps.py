"""Parameter values of a PUB as the inputs of tasks: as a rule of one task, more where it would be too large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# The service's own limits: points of a sweep, inputs of a task.
MOST_POINTS = 10_000
MOST_INPUTS = 1_000
# About what a number takes as JSON, with its comma.
CHARACTERS_OF_A_NUMBER = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one task may come to: characters of its inputs and of its result."""

    asked_characters: int
    answered_characters: int


def points_in_a_task(room: Room, parameters: int, answered_characters: float) -> int:
    """How many points of so many parameters, and so much of a result each, go into one task."""
    asked = room.asked_characters // max(1, parameters * CHARACTERS_OF_A_NUMBER)
    return int(max(1, min(MOST_POINTS, asked, room.answered_characters // max(1, answered_characters))))


def portions(total: int, most: int) -> Iterator[slice]:
    """As few slices as it takes."""
    return (slice(first, min(total, first + most)) for first in range(0, total, most))


def values_of(pub: Any) -> Any:
    """The values of a PUB's parameters, float64 of shape (points, parameters), points in C order of its shape."""
    circuit, values = pub.circuit, pub.parameter_values
    if not circuit.parameters:
        return np.zeros((int(np.prod(values.shape, dtype=int)), 0))
    return np.asarray(values.as_array(circuit.parameters), dtype=np.float64).reshape(-1, len(circuit.parameters))


def inputs_of(names: Sequence[str], values: Any) -> dict[str, list[float]]:
    """Inputs of a sweep over the rows of `values`."""
    return {name: column.tolist() for name, column in zip(names, values.T, strict=True)}
