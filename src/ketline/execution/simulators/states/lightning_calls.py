"""The call of Lightning's state for each gate that a statevector applies, derived from the gate's unitary.

`lightning_state.py` applies gates with these calls.

Lightning's gates take wires, a flag that selects the inverse, and angles in radians; a controlled gate first takes its
controls and their values. Source: the docstrings of `StateVectorC128`, and https://docs.pennylane.ai for the gates.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import pi
from typing import Any

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE, Gate
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.unitaries import (
    SWAP,
    Angles,
    Dense,
    H,
    PauliRotation,
    Phase,
    PhaseShift,
    Rotation,
    X,
    Y,
    Z,
)

# Takes the state, the wires of the gate's qubits in order, and the parameters. Applies a gate up to a global phase.
GateCall = Callable[[Any, list[int], Sequence[Any]], None]


def _named(name: str, state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    getattr(state, name)(wires, False, parameters)


def _fixed(name: str, state: Any, wires: list[int], _parameters: Sequence[Any]) -> None:
    getattr(state, name)(wires, False, ())


def _fixed_shift(angle: float, state: Any, wires: list[int], _parameters: Sequence[Any]) -> None:
    state.PhaseShift(wires, False, (angle,))


def _rotation(angles: Callable[..., Angles], state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    theta, phi, lam = angles(*parameters)
    # U(θ, φ, λ) is RZ(φ) RY(θ) RZ(λ) up to a phase; Rot takes the angles in the order in which they are applied.
    state.Rot(wires, False, (lam, theta, phi))


def _controlled_rotation(
    angles: Callable[..., Angles], phase: Phase, state: Any, wires: list[int], parameters: Sequence[Any]
) -> None:
    theta, phi, lam = angles(*parameters)
    state.CRot(wires, False, (lam, theta, phi))
    # With a control these phases are no longer global: the gate's own phase, and the phase between U and Rot.
    own = phase(*parameters) if callable(phase) else phase
    state.PhaseShift(wires[:1], False, (own + (phi + lam) / 2,))


def _with_controls(name: str, state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    *controls, target = wires
    getattr(state, name)(controls, [True] * len(controls), [target], False, parameters)


def _matrix_of(gate: Gate, state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    _apply_matrix(state, wires, gate.matrix(*parameters, qubits=len(wires)))


def _parameter(state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    _apply_matrix(state, wires, parameters[0])


def _apply_matrix(state: Any, wires: list[int], matrix: Any) -> None:
    # In Lightning the first wire is the most significant bit of a matrix index; in our matrices the last qubit is.
    state.applyMatrix(np.ascontiguousarray(matrix, dtype=np.complex128), wires[::-1], False)


def _rotation_of_z_and_x(state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    target = wires[1:]
    state.Hadamard(target, False, ())
    state.IsingZZ(wires, False, parameters)
    state.Hadamard(target, False, ())


def _controlled_shift(phase: Callable[..., float], state: Any, wires: list[int], parameters: Sequence[Any]) -> None:
    state.ControlledPhaseShift(wires, False, parameters)
    state.PhaseShift(wires[:1], False, (phase(*parameters),))


_SHIFT_OF_TWO = "ControlledPhaseShift"
_ALONE: Mapping[Dense, str] = {H: "Hadamard", X: "PauliX", Y: "PauliY", Z: "PauliZ"}
# Keys are the unitary and the number of qubits, controls included.
_DENSE: Mapping[tuple[Dense, int | None], str] = {
    **{(unitary, 1): name for unitary, name in _ALONE.items()},
    (X, 2): "CNOT",
    (Y, 2): "CY",
    (Z, 2): "CZ",
    (X, 3): "Toffoli",
    (SWAP, 2): "SWAP",
    (SWAP, 3): "CSWAP",
}
_ISING: Mapping[str, str] = {"xx": "IsingXX", "yy": "IsingYY", "zz": "IsingZZ"}
_SHIFTS: Mapping[float, str] = {pi / 2: "S", pi / 4: "T"}


def _call_of(gate: Gate) -> GateCall:
    """The call that applies a gate up to a global phase; it multiplies by the matrix if Lightning has no such gate."""
    if gate.unitary is None:
        return _parameter
    return _call_of_unitary(gate) or partial(_matrix_of, gate)


def _call_of_unitary(gate: Gate) -> GateCall | None:
    match gate.unitary:
        case Rotation(angles, phase) if gate.qubits == 1:
            return partial(_rotation, angles)
        case Rotation(angles, phase) if gate.qubits == 2:
            return partial(_controlled_rotation, angles, phase)
        case PhaseShift():
            return _call_of_shift(gate.unitary, gate.qubits)
        case PauliRotation(paulis) if gate.qubits == 2:
            return partial(_named, _ISING[paulis]) if paulis in _ISING else _rotation_of_z_and_x
        case Dense():
            return _call_of_dense(gate.unitary, gate.qubits)
        case _:
            return None


def _call_of_shift(shift: PhaseShift, qubits: int | None) -> GateCall | None:
    match qubits, shift.angle:
        case 1, None:
            return partial(_named, "PhaseShift")
        case 1, float(angle):
            return partial(_fixed, _SHIFTS[angle]) if angle in _SHIFTS else partial(_fixed_shift, angle)
        case 2, None:
            return partial(_controlled_shift, shift.phase) if callable(shift.phase) else partial(_named, _SHIFT_OF_TWO)
        case None, None:
            return partial(_with_controls, "PhaseShift")
        case _:
            return None


def _call_of_dense(dense: Dense, qubits: int | None) -> GateCall | None:
    if name := _DENSE.get((dense, qubits)):
        return partial(_fixed, name)
    if dense in _ALONE and dense.qubits == 1:
        return partial(_with_controls, _ALONE[dense])
    return None


LIGHTNING_CALLS: Mapping[str, GateCall] = {
    **{gate.name: _call_of(gate) for gate in GATE_TABLE if Method.STATEVECTOR in gate.methods},
    "measure": lambda _state, _wires, _: None,
    # Circuits with noise contain identity gates.
    "id": lambda _state, _wires, _: None,
}
