"""Quantum channels of one or two qubits: what an error does to the qubits of a gate, as a mixture of terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, reduce
from itertools import product
from typing import Any

import numpy as np

LETTERS = "IXYZ"
_MATRICES: Mapping[str, Any] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}
# Two letters multiplied, up to a phase, by their places in `LETTERS`: the exclusive or of X = 01, Y = 11, Z = 10.
_BITS = (0b00, 0b01, 0b11, 0b10)
# A channel of more terms than this becomes one of Kraus operators when it is composed with another.
_MAX_TERMS = 64
# Operators with a smaller weight are rounding.
_MIN_WEIGHT = 1e-14


class Kind(Enum):
    """The kind of an operation of an error."""

    PAULI = "pauli"
    RESET = "reset"
    UNITARY = "unitary"
    KRAUS = "kraus"


@dataclass(frozen=True, slots=True, eq=False)
class ErrorOperation:
    """One operation of an error, on some of its qubits: Pauli operators, a letter for each qubit; or matrices.

    Bit j of an index of a matrix is the j-th of `qubits`. A reset is to 0.
    """

    kind: Kind
    qubits: tuple[int, ...]
    letters: str = ""
    matrices: Sequence[Any] = ()

    @property
    def operators(self) -> Sequence[Any]:
        """Its Kraus operators."""
        match self.kind:
            case Kind.PAULI:
                return (kronecker([_MATRICES[letter] for letter in self.letters]),)
            case Kind.RESET:
                return (np.array([[1, 0], [0, 0]], complex), np.array([[0, 1], [0, 0]], complex))
            case _:
                return self.matrices


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Operations that happen one after another with a probability."""

    probability: float
    operations: tuple[ErrorOperation, ...]


@dataclass(frozen=True, eq=False)
class Channel:
    """A mixture of terms on one or two qubits, by their places among the qubits of a gate; compared by identity."""

    qubits: int
    terms: tuple[Term, ...]

    @cached_property
    def pauli_probabilities(self) -> Mapping[str, float] | None:
        """The probability of each string of letters, one for each qubit in order; None if it does more than these."""
        found = dict.fromkeys(map("".join, product(LETTERS, repeat=self.qubits)), 0.0)
        for term in self.terms:
            if any(operation.kind is not Kind.PAULI for operation in term.operations):
                return None
            letters = ["I"] * self.qubits
            for operation in term.operations:
                for qubit, letter in zip(operation.qubits, operation.letters, strict=True):
                    letters[qubit] = _multiplied(letters[qubit], letter)
            found["".join(letters)] += term.probability
        return found

    @cached_property
    def keeps_stabilizers(self) -> bool:
        """Whether each term takes stabilizer states to such: Pauli operators and resets only."""
        return all(operation.kind in (Kind.PAULI, Kind.RESET) for term in self.terms for operation in term.operations)

    @cached_property
    def superoperator(self) -> Any:
        """The matrix, complex128 of 4^n rows, by which a density matrix is multiplied, its rows one after another."""
        size = 4**self.qubits
        total = np.zeros((size, size), dtype=np.complex128)
        for term in self.terms:
            steps = [_superoperator(operation, self.qubits) for operation in term.operations]
            total += term.probability * reduce(lambda done, step: step @ done, steps, np.eye(size))
        return total

    def then(self, other: "Channel") -> "Channel":
        """This channel and then another one, on the same qubits."""
        if self.pauli_probabilities is not None and other.pauli_probabilities is not None:
            return pauli_channel(_convolved(self.pauli_probabilities, other.pauli_probabilities))
        if len(self.terms) * len(other.terms) <= _MAX_TERMS:
            terms = [
                Term(first.probability * second.probability, (*first.operations, *second.operations))
                for first in self.terms
                for second in other.terms
            ]
            return Channel(self.qubits, tuple(terms))
        return kraus_channel(operators_of(other.superoperator @ self.superoperator))


def pauli_channel(probabilities: Mapping[str, float]) -> Channel:
    """The channel that applies strings of letters, one for each qubit in order, with probabilities that add up to 1."""
    qubits = len(next(iter(probabilities)))
    terms = [
        Term(probability, (ErrorOperation(Kind.PAULI, tuple(range(qubits)), letters),))
        for letters, probability in probabilities.items()
        if probability > 0
    ]
    return Channel(qubits, tuple(terms))


def kraus_channel(operators: Sequence[Any]) -> Channel:
    """The channel of these Kraus operators."""
    qubits = len(operators[0]).bit_length() - 1
    operation = ErrorOperation(Kind.KRAUS, tuple(range(qubits)), matrices=tuple(operators))
    return Channel(qubits, (Term(1.0, (operation,)),))


def beside(first: Channel, second: Channel) -> Channel:
    """Two channels of one qubit as one of two: the first on qubit 0, the second on qubit 1."""
    moved = [
        Term(
            term.probability,
            tuple(
                ErrorOperation(operation.kind, (1,), operation.letters, operation.matrices)
                for operation in term.operations
            ),
        )
        for term in second.terms
    ]
    return Channel(2, first.terms).then(Channel(2, tuple(moved)))


def kronecker(matrices: Sequence[Any]) -> Any:
    """The matrices as one, bit j of an index for the j-th of them."""
    return reduce(lambda low, high: np.kron(high, low), matrices)


def operators_of(superoperator: Any) -> Sequence[Any]:
    """Kraus operators of a channel, at most 4^n.

    Source: M.-D. Choi, Linear Algebra and its Applications 10, 285 (1975).
    """
    size = round(len(superoperator) ** 0.5)
    choi = superoperator.reshape((size,) * 4).transpose(0, 2, 1, 3).reshape(size**2, size**2)
    weights, vectors = np.linalg.eigh((choi + choi.conj().T) / 2)
    return [
        np.sqrt(weight) * vector.reshape(size, size)
        for weight, vector in zip(weights, vectors.T, strict=True)
        if weight > _MIN_WEIGHT
    ]


def _superoperator(operation: ErrorOperation, qubits: int) -> Any:
    wide = [_widened(matrix, operation.qubits, qubits) for matrix in operation.operators]
    return sum(np.kron(matrix, matrix.conj()) for matrix in wide)


def _widened(matrix: Any, operands: Sequence[int], qubits: int) -> Any:
    """A matrix on some of the qubits as one on all; bit j of an index is qubit j."""
    if tuple(operands) == tuple(range(qubits)):
        return matrix
    size = 1 << qubits
    result = np.zeros((size, size), dtype=np.complex128)
    others = ~sum(1 << operand for operand in operands)
    for row, column in product(range(size), repeat=2):
        if row & others == column & others:
            result[row, column] = matrix[_gathered(row, operands), _gathered(column, operands)]
    return result


def _gathered(index: int, operands: Sequence[int]) -> int:
    return sum((index >> operand & 1) << number for number, operand in enumerate(operands))


def _multiplied(one: str, other: str) -> str:
    return LETTERS[_BITS.index(_BITS[LETTERS.index(one)] ^ _BITS[LETTERS.index(other)])]


def _convolved(first: Mapping[str, float], second: Mapping[str, float]) -> Mapping[str, float]:
    total = dict.fromkeys(first, 0.0)
    for (one, weight), (other, factor) in product(first.items(), second.items()):
        total["".join(map(_multiplied, one, other))] += weight * factor
    return total
