"""Sweeps: the parameter values of a PUB as inputs of one task, or of several if one would be too large.

The sampler and the estimator call it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketline.domain.limits import MAX_SWEEP_POINTS

# Approximate length of a number in JSON, with its comma.
CHARACTERS_OF_A_NUMBER = 24
# Characters of an entry of counts, and of a shot, besides the bits of the outcome.
_CHARACTERS_OF_A_COUNT = 14
_CHARACTERS_OF_A_SHOT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """The size of one task, in characters of JSON: of its inputs and of its result; and its most shots."""

    input_characters: int
    result_characters: int
    shots: int


def points_in_a_task(limits: TaskLimits, parameters: int, result_characters: float) -> int:
    """How many points fit into one task, if each has this many parameters and characters of its result."""
    by_inputs = limits.input_characters // max(1, parameters * CHARACTERS_OF_A_NUMBER)
    return int(max(1, min(MAX_SWEEP_POINTS, by_inputs, limits.result_characters // max(1, result_characters))))


def characters_of_counts(circuit: Any, shots: int, *, memory: bool = False) -> int:
    """The approximate size of the counts of one point as JSON, and with `memory` of the outcomes of all shots."""
    bits = int(sum(register.size + 1 for register in circuit.cregs))
    outcomes = min(shots, 1 << min(bits, 32))
    counts = outcomes * (bits + _CHARACTERS_OF_A_COUNT)
    return counts + shots * (bits + _CHARACTERS_OF_A_SHOT) if memory else counts


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
