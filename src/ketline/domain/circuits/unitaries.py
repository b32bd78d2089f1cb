"""The effects of gates on their targets: kinds of unitary, each with its matrix in plain numbers.

Bit j of an index into a matrix is the gate's j-th qubit, as in Qiskit. A simulator has one call for each kind.
"""

from cmath import rect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, sin, sqrt
from typing import ClassVar, Protocol

Matrix = Sequence[Sequence[complex]]
# A phase in radians: a number, or a function of the gate's parameters.
Phase = float | Callable[..., float]
# θ, φ and λ in radians.
Angles = tuple[float, float, float]

_PAULIS: Mapping[str, Matrix] = {"x": ((0, 1), (1, 0)), "y": ((0, -1j), (1j, 0)), "z": ((1, 0), (0, -1))}


class Unitary(Protocol):
    """The effect of a gate on its `qubits` targets."""

    @property
    def qubits(self) -> int: ...

    def matrix(self, *parameters: float) -> Matrix:
        """The matrix for the gate's parameters, angles in radians."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """e^{iγ} U(θ, φ, λ) with Qiskit's U: `angles` gives θ, φ and λ for the gate's parameters, `phase` is γ."""

    angles: Callable[..., Angles]
    phase: Phase = 0.0
    qubits: ClassVar[int] = 1

    def matrix(self, *parameters: float) -> Matrix:
        theta, phi, lam = self.angles(*parameters)
        u = (
            (cos(theta / 2), -rect(sin(theta / 2), lam)),
            (rect(sin(theta / 2), phi), rect(cos(theta / 2), phi + lam)),
        )
        return _times_phase(u, self.phase, parameters)


@dataclass(frozen=True, slots=True)
class PhaseShift:
    """e^{iγ} diag(1, e^{iλ}): λ is `angle`, or without one the gate's parameter, and `phase` is γ."""

    angle: float | None = None
    phase: Phase = 0.0
    qubits: ClassVar[int] = 1

    def matrix(self, *parameters: float) -> Matrix:
        angle = parameters[0] if self.angle is None else self.angle
        return _times_phase(((1, 0), (0, rect(1, angle))), self.phase, parameters)


@dataclass(frozen=True, slots=True)
class PauliRotation:
    """exp(-iθ/2 P) for a product P of two Pauli matrices, `paulis[j]` that of the j-th qubit; θ is the parameter."""

    paulis: str
    qubits: ClassVar[int] = 2

    def matrix(self, *parameters: float) -> Matrix:
        (theta,) = parameters
        low, high = (_PAULIS[letter] for letter in self.paulis)
        return [
            [
                (row == column) * cos(theta / 2)
                - 1j * sin(theta / 2) * high[row >> 1][column >> 1] * low[row & 1][column & 1]
                for column in range(4)
            ]
            for row in range(4)
        ]


@dataclass(frozen=True, slots=True)
class Dense:
    """Any other unitary, by the entries in which it is not the identity."""

    qubits: int
    entries: Callable[..., Mapping[tuple[int, int], complex]]

    def matrix(self, *parameters: float) -> Matrix:
        entries, size = self.entries(*parameters), range(1 << self.qubits)
        return [[entries.get((row, column), row == column) for column in size] for row in size]


IDENTITY = PhaseShift(0.0)
X = Dense(1, lambda: {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0})
Y = Dense(1, lambda: {(0, 0): 0, (0, 1): -1j, (1, 0): 1j, (1, 1): 0})
Z = Dense(1, lambda: {(1, 1): -1})
H = Dense(1, lambda: {(0, 0): sqrt(0.5), (0, 1): sqrt(0.5), (1, 0): sqrt(0.5), (1, 1): -sqrt(0.5)})
SWAP = Dense(2, lambda: {(1, 1): 0, (1, 2): 1, (2, 1): 1, (2, 2): 0})


def controlled(matrix: Matrix, controls: int) -> Matrix:
    """A matrix controlled by `controls` qubits, which are the first ones, each in state 1."""
    size, active = range(len(matrix) << controls), (1 << controls) - 1

    def entry(row: int, column: int) -> complex:
        both = row & column & active == active
        return matrix[row >> controls][column >> controls] if both else row == column

    return [[entry(row, column) for column in size] for row in size]


def _times_phase(matrix: Matrix, phase: Phase, parameters: Sequence[float]) -> Matrix:
    factor = rect(1, phase(*parameters) if callable(phase) else phase)
    return [[factor * entry for entry in row] for row in matrix]
