"""Mixtures of states: one for each outcome and error, with its probability; `averaged.py` runs circuits on them.

States with the same classical bits are one mixture, which the fewest states replace that have the same density matrix:
never more than 2^n.

Source: Nielsen and Chuang, section 2.4.2, theorem 2.6: ensembles with the same density matrix differ by a unitary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# States of a mixture that are less probable are left out, so that a loop which may continue for ever ends.
_NEGLIGIBLE = 1e-18
# Rounding makes such probabilities of states that are 0, when a mixture is made of the fewest.
_ROUNDED = 1e-15
# A mixture of no more states is not made smaller.
_FEWEST = 8


@dataclass(slots=True)
class Mixture:
    """State r, of shape (2^n,), has its probability as its square, and the classical bits `bits[r]`.

    `states` is complex128 of shape (states, 2^n), bit j of an index being qubit j. When there are more than `many`
    states, they are to be replaced by fewer.
    """

    states: Any
    bits: Any
    many: int = _FEWEST

    def taken(self, rows: Any) -> "Mixture":
        return Mixture(self.states[rows], self.bits[rows], self.many)

    def joined(self, others: "Sequence[Mixture]") -> "Mixture":
        every = [self, *others]
        states = np.concatenate([one.states for one in every])
        return Mixture(states, np.concatenate([one.bits for one in every]), max(one.many for one in every))

    def divided(self, qubit: int) -> tuple[Any, Any]:
        """The parts of all states in which a qubit is 0, and those in which it is 1; each of the shape of `states`."""
        parts = []
        for other in (1, 0):
            part = self.states.copy()
            part.reshape(len(part), -1, 2, 1 << qubit)[:, :, other] = 0
            parts.append(part)
        return parts[0], parts[1]

    def reduced(self) -> "Mixture":
        """The same mixture for each value of the bits, of the fewest states; it may be left if these are few."""
        likely = np.einsum("ra,ra->r", self.states, self.states.conj()).real > _NEGLIGIBLE
        mixture = self if likely.all() else self.taken(likely)
        if len(mixture.states) <= mixture.many:
            return mixture
        values, owners = np.unique(mixture.bits, axis=0, return_inverse=True)
        parts = [_fewest(mixture.states[owners.ravel() == number]) for number in range(len(values))]
        bits = np.repeat(values, [len(part) for part in parts], axis=0)
        states = np.concatenate(parts)
        return Mixture(states, bits, max(_FEWEST, 2 * len(states)))

    def multiplied(self, matrices: Sequence[Any], qubits: Sequence[int]) -> "Mixture":
        """The mixture after a channel of these Kraus operators, bit j of whose indices is the j-th of the qubits."""
        parts = [Mixture(applied(matrix, qubits, self.states), self.bits, self.many) for matrix in matrices]
        return parts[0].joined(parts[1:]).reduced()


def applied(matrix: Any, qubits: Sequence[int], states: Any) -> Any:
    """The states, complex128 of shape (states, 2^n), after a matrix; bit j of its indices is the j-th of the qubits."""
    total, number = states.shape[1].bit_length() - 1, len(qubits)
    tensor = states.reshape((-1,) + (2,) * total)
    axes = [total - qubit for qubit in reversed(qubits)]
    product = np.tensordot(np.reshape(matrix, (2,) * (2 * number)), tensor, axes=(range(number, 2 * number), axes))
    return np.moveaxis(product, range(number), axes).reshape(states.shape)


def _fewest(states: Any) -> Any:
    """The fewest states with the same density matrix."""
    count, size = states.shape
    if count <= size:
        weights, vectors = np.linalg.eigh(states @ states.conj().T)
        found = vectors.conj().T @ states
    else:
        weights, vectors = np.linalg.eigh(states.T @ states.conj())
        found = np.sqrt(weights.clip(0))[:, None] * vectors.T
    return found[weights > _ROUNDED]
