"""The gates of OpenQASM 2 by plain numpy, up to a phase, which no program can see.

Source: arXiv:1707.03429, equation 2 and appendix B (qelib1.inc); for the gates that Qiskit added, its documentation.
"""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np


class Gate(NamedTuple):
    """A gate; its matrix has the first qubit as the most significant."""

    parameters: int
    qubits: int
    matrix: Callable[..., Any]


def u(theta: float, phi: float, lam: float) -> Any:
    half, sine = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[half, -np.exp(1j * lam) * sine], [np.exp(1j * phi) * sine, np.exp(1j * (phi + lam)) * half]])


def controlled(matrix: Any) -> Any:
    size = len(matrix)
    whole = np.eye(2 * size, dtype=complex)
    whole[size:, size:] = matrix
    return whole


def rotation(generator: Any, angle: float) -> Any:
    """exp(-i angle/2 generator), of a generator that is its own inverse."""
    return math.cos(angle / 2) * np.eye(len(generator)) - 1j * math.sin(angle / 2) * generator


_X, _Y, _Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
_H = (_X + _Z) / math.sqrt(2)
_SWAP = np.eye(4)[[0, 2, 1, 3]]
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2


def _phase(angle: float) -> Any:
    return np.diag([1, np.exp(1j * angle)])


def _constant(matrix: Any) -> Gate:
    return Gate(0, len(matrix).bit_length() - 1, lambda: matrix)


def _cu(theta: float, phi: float, lam: float, gamma: float) -> Any:
    return controlled(np.exp(1j * gamma) * u(theta, phi, lam))


def _cu3(theta: float, phi: float, lam: float) -> Any:
    return controlled(u(theta, phi, lam))


LIBRARY: Mapping[str, Gate] = {
    "U": Gate(3, 1, u),
    "CX": _constant(controlled(_X)),
    "u3": Gate(3, 1, u),
    "u": Gate(3, 1, u),
    "u2": Gate(2, 1, lambda phi, lam: u(math.pi / 2, phi, lam)),
    "u1": Gate(1, 1, _phase),
    "p": Gate(1, 1, _phase),
    "id": _constant(np.eye(2)),
    "x": _constant(_X),
    "y": _constant(_Y),
    "z": _constant(_Z),
    "h": _constant(_H),
    "s": _constant(_phase(math.pi / 2)),
    "sdg": _constant(_phase(-math.pi / 2)),
    "t": _constant(_phase(math.pi / 4)),
    "tdg": _constant(_phase(-math.pi / 4)),
    "sx": _constant(_SX),
    "sxdg": _constant(_SX.conj().T),
    "rx": Gate(1, 1, lambda angle: rotation(_X, angle)),
    "ry": Gate(1, 1, lambda angle: rotation(_Y, angle)),
    "rz": Gate(1, 1, lambda angle: rotation(_Z, angle)),
    "cx": _constant(controlled(_X)),
    "cy": _constant(controlled(_Y)),
    "cz": _constant(controlled(_Z)),
    "ch": _constant(controlled(_H)),
    "csx": _constant(controlled(_SX)),
    "swap": _constant(_SWAP),
    "ccx": _constant(controlled(controlled(_X))),
    "cswap": _constant(controlled(_SWAP)),
    "c3x": _constant(reduce(lambda matrix, _: controlled(matrix), range(3), _X)),
    "c4x": _constant(reduce(lambda matrix, _: controlled(matrix), range(4), _X)),
    "c3sqrtx": _constant(reduce(lambda matrix, _: controlled(matrix), range(3), _SX)),
    "crx": Gate(1, 2, lambda angle: controlled(rotation(_X, angle))),
    "cry": Gate(1, 2, lambda angle: controlled(rotation(_Y, angle))),
    "crz": Gate(1, 2, lambda angle: controlled(rotation(_Z, angle))),
    "cu1": Gate(1, 2, lambda angle: controlled(_phase(angle))),
    "cp": Gate(1, 2, lambda angle: controlled(_phase(angle))),
    "cu3": Gate(3, 2, _cu3),
    "cu": Gate(4, 2, _cu),
    "rxx": Gate(1, 2, lambda angle: rotation(np.kron(_X, _X), angle)),
    "rzz": Gate(1, 2, lambda angle: rotation(np.kron(_Z, _Z), angle)),
}
