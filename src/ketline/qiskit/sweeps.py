"""Sweeps: the parameter values of a PUB as inputs of one task, or of several if one would be too large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Limits of the service: points of a sweep, inputs of a task.
MOST_POINTS = 10_000
MOST_INPUTS = 1_000
# Approximate length of a number in JSON, with its comma.
CHARACTERS_OF_A_NUMBER = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """The size of one task, in characters of JSON: of its inputs and of its result."""

    input_characters: int
    result_characters: int


def points_in_a_task(limits: TaskLimits, parameters: int, result_characters: float) -> int:
    """How many points fit into one task, if each has this many parameters and characters of its result."""
    by_inputs = limits.input_characters // max(1, parameters * CHARACTERS_OF_A_NUMBER)
    return int(max(1, min(MOST_POINTS, by_inputs, limits.result_characters // max(1, result_characters))))


def portions(total: int, most: int) -> Iterator[slice]:
    """Slices of at most `most` items that cover `total` items."""
    return (slice(first, min(total, first + most)) for first in range(0, total, most))


def values_of(pub: Any) -> Any:
    """The values of a PUB's parameters, float64 of shape (points, parameters), points in C order of its shape."""
    circuit, values = pub.circuit, pub.parameter_values
    if not circuit.parameters:
        return np.zeros((int(np.prod(values.shape, dtype=int)), 0))
    return np.asarray(values.as_array(circuit.parameters), dtype=np.float64).reshape(-1, len(circuit.parameters))


def inputs_of(names: Sequence[str], values: Any) -> dict[str, list[float]]:
    """The inputs of a sweep over the rows of `values`; column k belongs to the k-th name."""
    return {name: column.tolist() for name, column in zip(names, values.T, strict=True)}
