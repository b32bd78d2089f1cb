"""Ensembles of states, each with the classical bits that lead to it; `run.py` executes instructions on them.

A state's weight, the probability of its bits, is its squared norm or its trace. What is rarer than `_MIN_WEIGHT` is
left out: it changes an expectation value by less than rounding does.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.operations import Step, matrix_of
from ketline.execution.simulators.channels import Misreading
from ketline.execution.simulators.ensembles.axes import multiplied
from ketline.execution.simulators.states.lightning_state import Lightning

_MIN_WEIGHT = 1e-24
_CERTAIN = (0.0, 0.0)


class Ensemble(ABC):
    """Row r is the state `states[r]` with the classical bits `bits[r]`.

    `states` is complex128 of shape (rows, numbers), `bits` is bool of shape (rows, bits).
    """

    def __init__(self, states: Any, bits: Any) -> None:
        self.states = states
        self.bits = bits

    def __len__(self) -> int:
        return len(self.bits)

    def taken(self, rows: Any) -> Self:
        """The rows of these indices, or those that a mask has."""
        return type(self)(self.states[rows], self.bits[rows])

    def joined(self, other: Self) -> Self:
        """These rows and those of another ensemble."""
        states = np.concatenate([self.states, other.states])
        return type(self)(states, np.concatenate([self.bits, other.bits]))

    @abstractmethod
    def merged(self) -> Self:
        """The same ensemble, with rows of equal bits as one where a state can be that."""

    @abstractmethod
    def weights(self) -> Any:
        """The probability of each row, float64."""

    @abstractmethod
    def measured(self, qubit: int, bit: int | None, misreading: Misreading | None) -> Self:
        """The ensemble after a measurement whose outcome `bit` takes; None for one that nothing reads."""

    @abstractmethod
    def reset(self, qubit: int) -> Self:
        """The ensemble after a reset of a qubit to 0."""

    @abstractmethod
    def values(self, sums: PauliSums) -> Any:
        """The expectation values of sums of Pauli operators, multiplied by the weights and added up: float64."""

    def without_rare(self) -> Self:
        """The rows but those that are too rare to matter."""
        kept = self.weights() > _MIN_WEIGHT
        return self if kept.all() else self.taken(kept)

    def _divided(self, halves: Sequence[Any], bit: int | None) -> Self:
        """An ensemble of two states for each row, of which one has the bit set."""
        bits = [self.bits.copy(), self.bits.copy()]
        if bit is not None:
            bits[0][:, bit], bits[1][:, bit] = False, True
        return type(self)(np.concatenate(halves), np.concatenate(bits)).without_rare()


class PureStates(Ensemble):
    """States of 2^n amplitudes, bit j of an index being qubit j. Without noise, and not merged."""

    @classmethod
    def start(cls, qubits: int, bits: int) -> Self:
        """One row, with all qubits and bits 0."""
        return cls(_first_only(1 << qubits), np.zeros((1, bits), dtype=np.bool_))

    def apply(self, steps: Sequence[Step], lightning: Lightning | None) -> None:
        """Apply gates to all rows; with Lightning as one state whose highest qubits number the rows."""
        if lightning is None:
            for step in steps:
                self.states = multiplied(self.states, matrix_of(step), step[1])
            return
        rows, size = self.states.shape
        above = (rows - 1).bit_length()
        whole = self.states if rows == 1 << above else np.zeros((1 << above, size), dtype=np.complex128)
        whole[:rows] = self.states
        self.states = lightning.applied(steps, whole.ravel()).reshape(-1, size)[:rows]

    def merged(self) -> Self:
        return self

    def weights(self) -> Any:
        return np.einsum("rk,rk->r", self.states.real, self.states.real) + np.einsum(
            "rk,rk->r", self.states.imag, self.states.imag
        )

    def measured(self, qubit: int, bit: int | None, misreading: Misreading | None) -> Self:
        assert misreading is None, "readout errors are simulated on density matrices"
        return self._divided(self._halves(qubit), bit)

    def reset(self, qubit: int) -> Self:
        zero, one = self._halves(qubit)
        split = one.reshape(len(self), -1, 2, 1 << qubit)
        split[:, :, 0], split[:, :, 1] = split[:, :, 1].copy(), 0
        return self._divided([zero, one], None)

    def values(self, sums: PauliSums) -> Any:
        return np.sum([sums.values_in(state) for state in self.states], axis=0)

    def _halves(self, qubit: int) -> list[Any]:
        """The states in which a qubit is 0, and those in which it is 1."""
        halves = [self.states.copy(), self.states.copy()]
        for value, half in enumerate(halves):
            half.reshape(len(self), -1, 2, 1 << qubit)[:, :, 1 - value] = 0
        return halves


class MixedStates(Ensemble):
    """Density matrices by rows: of an index, bit j is qubit j of the column, and bit n + j of the row."""

    @classmethod
    def start(cls, qubits: int, bits: int) -> Self:
        """One row, with all qubits and bits 0."""
        return cls(_first_only(1 << 2 * qubits), np.zeros((1, bits), dtype=np.bool_))

    @property
    def _qubits(self) -> int:
        return int(self.states.shape[1]).bit_length() // 2

    def apply(self, superoperator: Any, qubits: Sequence[int]) -> None:
        """Apply a superoperator, as `Channel.superoperator`, on qubits to all rows."""
        self.states = multiplied(self.states, superoperator, [*qubits, *self._of_rows(qubits)])

    def apply_unitary(self, matrix: Any, qubits: Sequence[int]) -> None:
        """Apply a unitary matrix on qubits to all rows: for those that are too large as superoperators."""
        self.states = multiplied(self.states, matrix, self._of_rows(qubits))
        self.states = multiplied(self.states, np.conj(matrix), qubits)

    def _of_rows(self, qubits: Sequence[int]) -> Sequence[int]:
        return [self._qubits + qubit for qubit in qubits]

    def merged(self) -> Self:
        if len(self) == 1:
            return self
        bits, rows = np.unique(self.bits, axis=0, return_inverse=True)
        if len(bits) == len(self):
            return self
        states = np.zeros((len(bits), self.states.shape[1]), dtype=np.complex128)
        np.add.at(states, rows.ravel(), self.states)
        return type(self)(states, bits)

    def weights(self) -> Any:
        return self.states[:, :: (1 << self._qubits) + 1].real.sum(axis=1)

    def measured(self, qubit: int, bit: int | None, misreading: Misreading | None) -> Self:
        if bit is None:
            blocks = self._blocks(self.states, qubit)
            blocks[:, :, 0, :, :, 1], blocks[:, :, 1, :, :, 0] = 0, 0
            return self
        p01, p10 = misreading or _CERTAIN
        halves = []
        for of_zero, of_one in ((1 - p01, p10), (p01, 1 - p10)):
            half = self.states.copy()
            blocks = self._blocks(half, qubit)
            blocks[:, :, 0, :, :, 1], blocks[:, :, 1, :, :, 0] = 0, 0
            blocks[:, :, 0, :, :, 0] *= of_zero
            blocks[:, :, 1, :, :, 1] *= of_one
            halves.append(half)
        return self._divided(halves, bit)

    def reset(self, qubit: int) -> Self:
        blocks = self._blocks(self.states, qubit)
        blocks[:, :, 0, :, :, 0] += blocks[:, :, 1, :, :, 1]
        blocks[:, :, 1], blocks[:, :, 0, :, :, 1] = 0, 0
        return self

    def values(self, sums: PauliSums) -> Any:
        size = 1 << self._qubits
        return np.array(sums.values_in_matrix(self.states.sum(axis=0).reshape(size, size)))

    def _blocks(self, states: Any, qubit: int) -> Any:
        """A view, of whose axes the third and the sixth are the qubit of the row and of the column."""
        high, low = 1 << self._qubits - 1 - qubit, 1 << qubit
        return states.reshape(len(self), high, 2, low, high, 2, low)


def _first_only(size: int) -> Any:
    states = np.zeros((1, size), dtype=np.complex128)
    states[0, 0] = 1
    return states
