"""Draws outcomes from the final state of a circuit that is measured at its end.

The methods that simulate a final state call it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.simulators.bitstrings import MANY_OUTCOMES, Counted, KeyFormat, counts_of
from ketline.execution.simulators.states.pure_state import PureState, StateSampler
from ketline.execution.simulators.states.totals import totals_of

# Engines differ beyond these decimals, and a draw with 0.5 is another one than with 0.5 + 1e-16.
_DECIMALS = 13
# A probability takes Aer and a draw from all of them as long as an eighth of a shot takes Aer; measured.
_OUTCOMES_PER_SHOT = 8
# More probabilities than these take tens of megabytes in the list that Aer makes of them.
_MAX_MEASURED = 20
_BYTES_OF_A_WORD = 8

Measured = Sequence[tuple[int, int]]


class OutcomeSource(Protocol):
    """A source from which the outcomes of a program are drawn, any number of times."""

    @property
    def reusable_bytes(self) -> int | None:
        """The memory that it takes to cache it for further draws; None if that is not possible."""
        ...

    def draw(self, shots: int, seed: int | None, key: KeyFormat, *, memory: bool) -> Counted:
        """The counts of independent shots, and with `memory` each shot's outcome."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Probabilities, float64 that sum to one, of outcomes that occur: `indices`, int64 of the same length.

    Bit j of an index is the j-th measured qubit, and bit n of an outcome is the n-th declared bit.
    """

    indices: Any
    probabilities: Any
    measured: Measured

    @property
    def reusable_bytes(self) -> int:
        return int(self.indices.nbytes + self.probabilities.nbytes)

    def draw(self, shots: int, seed: int | None, key: KeyFormat, *, memory: bool) -> Counted:
        """As in the protocol.

        One multinomial draw has the distribution of the counts of independent shots.
        """
        random = generator(seed)
        outcomes, counts = self.drawn(shots, random)
        return shown(outcomes, counts, key, random if memory else None)

    def drawn(self, shots: int, random: np.random.Generator) -> tuple[Any, Sequence[int]]:
        """The outcomes that occur among independent shots, each once, and how often."""
        drawn = random.multinomial(shots, self.probabilities)
        found = np.flatnonzero(drawn)
        return outcomes_of(self.indices[found], self.measured), drawn[found].tolist()


def distribution_of(probabilities: Any, measured: Measured) -> Distribution:
    """The distribution from the 2^m probabilities of m measured qubits; bits that are not measured read 0."""
    values = np.round(np.asarray(probabilities, dtype=np.float64), _DECIMALS)
    indices = np.flatnonzero(values)
    kept = values[indices]
    return Distribution(indices, kept / kept.sum(), measured)


@dataclass(frozen=True, slots=True, eq=False)
class SampledState:
    """A state's own sampling of the measured qubits, which takes less time for few shots of many outcomes."""

    sampler: StateSampler
    measured: Measured

    @property
    def reusable_bytes(self) -> int | None:
        return self.sampler.reusable_bytes

    def draw(self, shots: int, seed: int | None, key: KeyFormat, *, memory: bool) -> Counted:
        indices, counts = self.sampler.sample(shots, seed)
        return shown(outcomes_of(indices, self.measured), counts, key, generator(seed) if memory else None)


def draws_exactly(measured: Measured, shots: int) -> bool:
    """Whether the outcomes are so few that one draw from the probabilities of all takes less time."""
    return len(measured) <= _MAX_MEASURED and 1 << len(measured) <= _OUTCOMES_PER_SHOT * shots


def source_of(state: PureState, measured: Measured, *, exact: bool) -> OutcomeSource:
    """The source of the outcomes of a state; `exact` as `draws_exactly` says."""
    measured = sorted(measured)
    qubits = [qubit for qubit, _ in measured]
    if exact:
        return distribution_of(state.probabilities(qubits), measured)
    return SampledState(state.sampler(qubits), measured)


def drawn_outcomes(
    probabilities_of: Callable[[Sequence[int]], Any], measured: Measured, shots: int, random: np.random.Generator
) -> tuple[Any, Sequence[int]]:
    """As `Distribution.drawn`, for a state given by the function of its probabilities (see `PureState`)."""
    measured = sorted(measured)
    probabilities = probabilities_of([qubit for qubit, _ in measured])
    if draws_exactly(measured, shots):
        return distribution_of(probabilities, measured).drawn(shots, random)
    indices, counts = totals_of(probabilities).draw(shots, random)
    return outcomes_of(indices, measured), counts


def probability_to_draw(zero: Any, one: Any) -> Any:
    """The probability of a 1 from the weights of a state's two halves, as in `distribution_of`; also of arrays."""
    return np.round(one / (zero + one), _DECIMALS).clip(0, 1)


def generator(seed: int | None) -> np.random.Generator:
    """numpy's source of random numbers for the seed of a task."""
    return np.random.default_rng(None if seed is None else derived_seed(seed, "numpy", bits=64))


def numbers_of(outcomes: Any) -> Any:
    """The number of each row of bits, bit n from column n: uint64 where they are wide enough, else Python's own."""
    packed = np.packbits(outcomes, axis=1, bitorder="little")
    if packed.shape[1] > _BYTES_OF_A_WORD:
        return np.array([int.from_bytes(row.tobytes(), "little") for row in packed], dtype=object)
    words = np.zeros((len(packed), _BYTES_OF_A_WORD), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view("<u8").ravel()


def outcomes_of(indices: Any, measured: Measured) -> Any:
    """The outcome for each index, int64 or Python's numbers, the bits of both as in `Distribution`."""
    bits = [bit for _, bit in measured]
    if bits == list(range(len(bits))):
        return indices
    kind = np.int64 if max(bits) < np.iinfo(np.int64).bits - 1 else object  # Python's own numbers are as wide as needed
    outcomes = np.zeros(len(indices), dtype=kind)
    for number, bit in enumerate(bits):
        outcomes |= (indices >> number & 1).astype(kind) << bit
    return outcomes


def shown(outcomes: Any, counts: Sequence[int], key: KeyFormat, order: np.random.Generator | None) -> Counted:
    """Counts by key, and with `order` the shots in one: given the counts, every order of them is equally likely."""
    keys = key.keys(outcomes)
    shown_counts = list(zip(keys, counts, strict=True))
    if len(keys) >= MANY_OUTCOMES:
        # Keys are in the order of their outcomes: arrays are sorted faster than texts, and these only once.
        shown_counts = [shown_counts[number] for number in np.argsort(outcomes).tolist()]
    total = counts_of(shown_counts)
    if order is None:
        return total, None
    return total, [keys[number] for number in order.permutation(np.repeat(np.arange(len(keys)), counts))]


def shown_total(counts: Mapping[int, int], options: RunOptions, key: KeyFormat) -> Counted:
    """Counts of outcomes by key, and with `options.memory` the shots in a drawn order; there is a seed."""
    order = None
    if options.memory:
        assert options.seed is not None, "the simulator draws one where the task has none"
        order = np.random.default_rng(derived_seed(options.seed, "order", bits=64))
    return shown(np.array(list(counts), dtype=object), list(counts.values()), key, order)
