"""Sweeps: the parameter values of a PUB as inputs of one task, or of several if one would be too large.

The sampler and the estimator call it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ketline.client.task_limits import CHARACTERS_OF_A_COUNT

# Characters of a shot besides the bits of its outcome.
_CHARACTERS_OF_A_SHOT = 3


def characters_of_counts(circuit: Any, shots: int, *, memory: bool = False) -> int:
    """The approximate size of the counts of one point as JSON, and with `memory` of the outcomes of all shots."""
    bits = int(sum(register.size + 1 for register in circuit.cregs))
    outcomes = min(shots, 1 << min(bits, 32))
    counts = outcomes * (bits + CHARACTERS_OF_A_COUNT)
    return counts + shots * (bits + _CHARACTERS_OF_A_SHOT) if memory else counts


def values_of(pub: Any) -> Any:
    """The values of a PUB's parameters, float64 of shape (points, parameters), points in C order of its shape."""
    circuit, values = pub.circuit, pub.parameter_values
    if not circuit.parameters:
        return np.zeros((int(np.prod(values.shape, dtype=int)), 0))
    return np.asarray(values.as_array(circuit.parameters), dtype=np.float64).reshape(-1, len(circuit.parameters))


def inputs_of(names: Sequence[str], values: Any) -> dict[str, list[float]]:
    """The inputs of a sweep over the rows of `values`; column k belongs to the k-th name."""
    return {name: column.tolist() for name, column in zip(names, values.T, strict=True)}
