"""Gates given by their matrices, as calls of gates of stdgates.inc.

The modules of Braket, Cirq, PennyLane and pytket call it.

A matrix has shape (2^n, 2^n) and complex entries; the first of its n qubits is the most significant bit of an index.
The calls have the matrix itself, with its global phase, so they may be controlled.

Source: Shende, Bullock, Markov, "Synthesis of quantum-logic circuits", IEEE TCAD 25 (2006), theorems 8, 13 and 14.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import scipy.linalg

from ketline.client.convert.writer import Call
from ketline.client.errors import CircuitNotConvertible

# A matrix on n qubits becomes about 4^n gates.
MAX_QUBITS = 8
_CLOSE = 1e-12
_UNITARY_TOLERANCE = 1e-6


def unitary_calls(matrix: Any, qubits: Sequence[str]) -> Sequence[Call]:
    """Calls that apply this matrix.

    Raises:
        CircuitNotConvertible: the matrix is not unitary, or has more than 8 qubits.
    """
    matrix = np.asarray(matrix, dtype=complex)
    if len(qubits) > MAX_QUBITS:
        raise CircuitNotConvertible(f"a matrix on {len(qubits)} qubits is too large: the most are {MAX_QUBITS}")
    if matrix.shape != (2 ** len(qubits),) * 2 or not _is_unitary(matrix):
        raise CircuitNotConvertible(f"the matrix of a gate on {len(qubits)} qubits is not unitary")
    return list(_calls(matrix, tuple(qubits)))


def _is_unitary(matrix: Any) -> bool:
    return bool(np.abs(matrix @ matrix.conj().T - np.eye(len(matrix))).max() < _UNITARY_TOLERANCE)


def _calls(matrix: Any, qubits: tuple[str, ...]) -> Iterator[Call]:
    if not qubits:
        yield from _phase(float(np.angle(matrix[0, 0])))
    elif len(qubits) == 1:
        yield from _one_qubit(matrix, qubits[0])
    else:
        yield from _shannon(matrix, qubits)


def _phase(angle: float) -> Iterator[Call]:
    if abs(angle) > _CLOSE:
        yield Call("gphase", (), (repr(angle),))


def _one_qubit(matrix: Any, qubit: str) -> Iterator[Call]:
    for gates, clifford in _cliffords():
        factor = np.trace(clifford.conj().T @ matrix) / 2
        if abs(abs(factor) - 1) < _CLOSE:
            yield from (Call(gate, (qubit,)) for gate in gates)
            yield from _phase(float(np.angle(factor)))
            return
    phase = float(np.angle(np.linalg.det(matrix))) / 2
    special = matrix * np.exp(-1j * phase)
    theta = 2 * float(np.arctan2(abs(special[1, 0]), abs(special[1, 1])))
    total, difference = 2 * np.angle(special[1, 1]), 2 * np.angle(special[1, 0])
    phi, lam = (total + difference) / 2, (total - difference) / 2
    for gate, angle in (("rz", lam), ("ry", theta), ("rz", phi)):
        if abs(angle) > _CLOSE:
            yield Call(gate, (qubit,), (repr(float(angle)),))
    yield from _phase(phase)


@cache
def _cliffords() -> Sequence[tuple[tuple[str, ...], Any]]:
    """The 24 Clifford gates on a qubit: the names of gates, first one first, and their matrix."""
    gates = {
        "h": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
        "s": np.diag([1, 1j]),
        "sdg": np.diag([1, -1j]),
        "x": np.array([[0, 1], [1, 0]]),
        "y": np.array([[0, -1j], [1j, 0]]),
        "z": np.diag([1, -1]),
        "sx": np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2,
    }
    found: list[tuple[tuple[str, ...], Any]] = []
    for length in range(4):
        for names in product(gates, repeat=length):
            matrix: Any = np.eye(2, dtype=complex)
            for name in names:
                matrix = gates[name] @ matrix
            if all(abs(abs(np.trace(known.conj().T @ matrix)) - 2) > _CLOSE for _, known in found):
                found.append((names, matrix))
    return found


def _shannon(matrix: Any, qubits: tuple[str, ...]) -> Iterator[Call]:
    """The quantum Shannon decomposition: two multiplexed gates on all but the first qubit around a multiplexed ry."""
    half = len(matrix) // 2
    (left0, left1), thetas, (right0, right1) = scipy.linalg.cossin(matrix, p=half, q=half, separate=True)
    yield from _multiplexed(right0, right1, qubits)
    yield from _multiplexed_rotation("ry", [2 * float(theta) for theta in thetas], qubits[0], qubits[1:])
    yield from _multiplexed(left0, left1, qubits)


def _multiplexed(zero: Any, one: Any, qubits: tuple[str, ...]) -> Iterator[Call]:
    """One matrix where the first qubit is 0, another where it is 1."""
    if np.abs(zero - one).max() < _CLOSE:
        yield from _calls(zero, qubits[1:])
        return
    triangular, vectors = scipy.linalg.schur(zero @ one.conj().T, output="complex")
    roots = np.exp(0.5j * np.angle(np.diag(triangular)))
    yield from _calls(np.diag(roots) @ vectors.conj().T @ one, qubits[1:])
    yield from _multiplexed_rotation("rz", [-2 * float(np.angle(root)) for root in roots], qubits[0], qubits[1:])
    yield from _calls(vectors, qubits[1:])


def _multiplexed_rotation(
    gate: str, angles: Sequence[float], target: str, selectors: tuple[str, ...]
) -> Iterator[Call]:
    """Rotate by the angle whose index is the value of the selectors, the first of them most significant."""
    if max(map(abs, angles)) < _CLOSE:
        return
    size = len(angles)
    codes = [index ^ index >> 1 for index in range(size)]
    signs = [[(-1) ** (code & value).bit_count() for value in range(size)] for code in codes]
    rotations = np.array(signs) @ np.array(angles) / size
    for index, angle in enumerate(rotations):
        if abs(angle) > _CLOSE:
            yield Call(gate, (target,), (repr(float(angle)),))
        changed = (codes[index] ^ codes[(index + 1) % size]).bit_length() - 1
        yield Call("cx", (selectors[len(selectors) - 1 - changed], target))
