"""Draws outcomes from the final state of a circuit that is measured at its end."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketline.domain.seeds import derived_seed
from ketline.execution.simulators.bitstrings import counts_of

# Rounding leaves as much where the probability is none.
_NOTHING = 1e-15
# A probability takes Aer and a draw from all of them as long as an eighth of a shot takes Aer; measured.
_OUTCOMES_PER_SHOT = 8
# More probabilities than these take tens of megabytes in the list that Aer makes of them.
_MOST_MEASURED = 20

Key = Callable[[int], str]
Measured = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Probabilities, float64 that sum to one, of outcomes that occur: `indices`, int64 of the same length.

    Bit j of an index is the j-th measured qubit, and bit n of an outcome is the n-th declared bit.
    """

    indices: Any
    probabilities: Any
    measured: Measured

    def draw(
        self, shots: int, seed: int | None, key: Key, *, memory: bool
    ) -> tuple[dict[str, int], Sequence[str] | None]:
        """Counts of so many independent shots in the order of their keys, and with `memory` each shot's outcome.

        One multinomial draw has the distribution of the counts of independent shots.
        """
        random = _generator(seed)
        drawn = random.multinomial(shots, self.probabilities)
        found = np.flatnonzero(drawn)
        outcomes = outcomes_of(self.indices[found], self.measured)
        return shown(outcomes, drawn[found].tolist(), key, random if memory else None)


def distribution_of(probabilities: Any, measured: Measured) -> Distribution:
    """The distribution from the 2^m probabilities of m measured qubits; bits that are not measured read 0."""
    values = np.asarray(probabilities, dtype=np.float64)
    indices = np.flatnonzero(values > _NOTHING)
    kept = values[indices]
    return Distribution(indices, kept / kept.sum(), measured)


def sample(
    state: Any, measured: Measured, shots: int, seed: int | None, key: Key, *, memory: bool
) -> tuple[dict[str, int], Sequence[str] | None]:
    """As `Distribution.draw`, for a state of Aer's; few shots by its own sampling, which lists no probabilities."""
    qubits = [qubit for qubit, _ in measured]
    if len(qubits) <= _MOST_MEASURED and 1 << len(qubits) <= _OUTCOMES_PER_SHOT * shots:
        return distribution_of(state.probabilities(qubits), measured).draw(shots, seed, key, memory=memory)
    if seed is not None:
        state.set_seed(derived_seed(seed, "aer", bits=62))
    drawn = state.sample_counts(qubits, shots)
    indices = np.fromiter(drawn, dtype=np.int64, count=len(drawn))
    random = _generator(seed) if memory else None
    return shown(outcomes_of(indices, measured), drawn.values(), key, random)


def _generator(seed: int | None) -> np.random.Generator:
    return np.random.default_rng(None if seed is None else derived_seed(seed, "numpy", bits=64))


def outcomes_of(indices: Any, measured: Measured) -> list[int]:
    """The outcome for each index, the bits of both as in `Distribution`."""
    bits = [bit for _, bit in measured]
    if bits == list(range(len(bits))):
        return list(indices.tolist())
    kind = np.int64 if max(bits) < np.iinfo(np.int64).bits - 1 else object  # Python's own numbers are as wide as needed
    outcomes = np.zeros(len(indices), dtype=kind)
    for number, bit in enumerate(bits):
        outcomes |= (indices >> number & 1).astype(kind) << bit
    return list(outcomes.tolist())


def shown(
    outcomes: Iterable[int], counts: Iterable[int], key: Key, order: np.random.Generator | None
) -> tuple[dict[str, int], Sequence[str] | None]:
    """Counts by key, and with `order` the shots in one: given the counts, every order of them is equally likely."""
    keys, found = [key(outcome) for outcome in outcomes], list(counts)
    total = counts_of(zip(keys, found, strict=True))
    if order is None:
        return total, None
    return total, [keys[number] for number in order.permutation(np.repeat(np.arange(len(keys)), found))]
