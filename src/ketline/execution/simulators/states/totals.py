"""Draws few shots from many probabilities; Lightning's state and `sampling.py` call it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """The cumulative sums of probabilities, float64 by index; they need not end with 1."""

    values: Any

    def draw(self, shots: int, random: np.random.Generator) -> tuple[Any, Sequence[int]]:
        """The indices that occur among independent shots, int64, each once, and how often."""
        drawn = random.random(shots) * self.values[-1]
        drawn.sort()
        # The first index whose total is greater, so that none without probability is found.
        indices, counts = np.unique(np.searchsorted(self.values, drawn, side="right"), return_counts=True)
        return indices, counts.tolist()


def totals_of(probabilities: Any) -> Totals:
    """The totals of probabilities, which are overwritten."""
    return Totals(np.cumsum(probabilities, out=probabilities))
