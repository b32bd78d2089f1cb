"""Rows of shots that had the same outcomes so far, and what instructions do to them. Used by `run.py`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np

from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.sampling import Measured, drawn_outcomes, numbers_of, probability_to_draw
from ketline.execution.simulators.states.lightning_state import Lightning


@dataclass(slots=True)
class Rows:
    """Row r is `shots[r]` shots with the classical bits `bits[r]` and the state `states[r]`.

    `states` is complex128 of shape (rows, 2^n), bit j of an index being qubit j; `bits` is bool of shape (rows, bits).
    """

    states: Any
    bits: Any
    shots: Any

    @classmethod
    def start(cls, qubits: int, bits: int, shots: int) -> Self:
        """One row, with all qubits and bits 0."""
        states = np.zeros((1, 1 << qubits), dtype=np.complex128)
        states[0, 0] = 1
        return cls(states, np.zeros((1, bits), dtype=np.bool_), np.array([shots]))

    def __len__(self) -> int:
        return len(self.shots)

    def taken(self, rows: Any) -> "Rows":
        """The rows of these indices."""
        return Rows(self.states[rows], self.bits[rows], self.shots[rows])

    def joined(self, others: "Sequence[Rows]") -> "Rows":
        """These rows and those."""
        every = [self, *others]
        return Rows(
            np.concatenate([rows.states for rows in every]),
            np.concatenate([rows.bits for rows in every]),
            np.concatenate([rows.shots for rows in every]),
        )

    def apply(self, steps: Sequence[Step], lightning: Lightning) -> None:
        """Apply gates to the states of all rows, as one state whose highest qubits number the rows."""
        rows, size = self.states.shape
        above = (rows - 1).bit_length()
        whole = self.states if rows == 1 << above else np.zeros((1 << above, size), dtype=np.complex128)
        whole[:rows] = self.states
        self.states = lightning.applied(steps, whole.ravel()).reshape(-1, size)[:rows]

    def measure(self, qubit: int, random: np.random.Generator) -> Any:
        """Divide the shots of each row by the outcomes of a qubit; returns the outcome for each row that is left."""
        rows = len(self)
        halves = self.states.reshape(rows, -1, 2, 1 << qubit)
        weights = np.einsum("rahb,rahb->rh", halves.real, halves.real)
        weights += np.einsum("rahb,rahb->rh", halves.imag, halves.imag)
        ones = random.binomial(self.shots, probability_to_draw(weights[:, 0], weights[:, 1]))
        zeros = self.shots - ones
        with_zero, with_one = np.flatnonzero(zeros), np.flatnonzero(ones)
        order = np.concatenate([with_zero, with_one])
        outcomes = np.arange(len(order)) >= len(with_zero)
        states = self.states[order] / np.sqrt(weights[order, outcomes.astype(np.intp)])[:, np.newaxis]
        halves = states.reshape(len(order), -1, 2, 1 << qubit)
        halves[: len(with_zero), :, 1] = 0
        halves[len(with_zero) :, :, 0] = 0
        self.states, self.bits = states, self.bits[order]
        self.shots = np.concatenate([zeros[with_zero], ones[with_one]])
        return outcomes

    def reset(self, qubit: int, random: np.random.Generator) -> None:
        """Measure a qubit, and turn it to 0 where it is 1."""
        outcomes = self.measure(qubit, random)
        halves = self.states.reshape(len(self), -1, 2, 1 << qubit)
        halves[outcomes, :, 0] = halves[outcomes, :, 1]
        halves[outcomes, :, 1] = 0

    def drawn(self, final: Measured, random: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Outcomes, bit n that of bit n, and how many shots have each, after measurements of qubits into bits."""
        self.bits[:, [bit for _, bit in final]] = False
        before, shots = numbers_of(self.bits).tolist(), self.shots.tolist()
        if not final:
            yield from zip(before, shots, strict=True)
            return
        for state, bits, number in zip(self.states, before, shots, strict=True):
            outcomes, times = drawn_outcomes(partial(probabilities_in, state), final, number, random)
            for outcome, time in zip(outcomes.tolist(), times, strict=True):
                yield bits | outcome, time


def probabilities_in(amplitudes: Any, qubits: Sequence[int]) -> Any:
    """The 2^m probabilities of m qubits in ascending order, in a state of 2^n amplitudes; see `PureState`."""
    total = len(amplitudes).bit_length() - 1
    squares = (amplitudes.real**2 + amplitudes.imag**2).reshape((2,) * total)
    others = tuple(total - 1 - qubit for qubit in range(total) if qubit not in qubits)
    return squares.sum(axis=others).ravel()
