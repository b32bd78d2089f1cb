"""The call of Aer's state for each gate that its statevector applies, derived from the gate's unitary.

`aer_state.py` applies gates by it.
"""

from cmath import rect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE, Gate
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.unitaries import SWAP, Angles, Dense, H, PauliRotation, PhaseShift, Rotation, X, Y, Z

# For a state, the qubits by index, and the parameters.
GateCall = Callable[[Any, Sequence[int], Sequence[Any]], None]


def _rotation(angles: Callable[..., Angles], state: Any, qubits: Sequence[int], parameters: Sequence[Any]) -> None:
    state.apply_u(qubits[0], *angles(*parameters))


def _controlled_rotation(
    angles: Callable[..., Angles], phase: float, state: Any, qubits: Sequence[int], parameters: Sequence[Any]
) -> None:
    state.apply_cu(qubits, *angles(*parameters), phase)


def _controlled_rotation_and_phase(
    angles: Callable[..., Angles],
    phase: Callable[..., float],
    state: Any,
    qubits: Sequence[int],
    parameters: Sequence[Any],
) -> None:
    state.apply_cu(qubits, *angles(*parameters), phase(*parameters))


def _phase(state: Any, qubits: Sequence[int], parameters: Sequence[Any]) -> None:
    state.apply_mcphase(qubits, parameters[0])


def _fixed_phase(angle: float, state: Any, qubits: Sequence[int], _parameters: Sequence[Any]) -> None:
    state.apply_mcphase(qubits, angle)


def _controlled_phase(state: Any, qubits: Sequence[int], parameters: Sequence[Any]) -> None:
    # Aer joins diagonals where it joins gates, and no phases: a Fourier transform takes two thirds of the time.
    state.apply_diagonal(qubits, [1.0, 1.0, 1.0, rect(1.0, parameters[0])])


def _controlled_shift(
    phase: Callable[..., float], state: Any, qubits: Sequence[int], parameters: Sequence[Any]
) -> None:
    angle = parameters[0]
    state.apply_cu(qubits, 0.0, 0.0, angle, phase(angle))


def _ising(state: Any, qubits: Sequence[int], parameters: Sequence[Any]) -> None:
    turn = rect(1.0, parameters[0] / 2)
    state.apply_diagonal(qubits, [1 / turn, turn, turn, 1 / turn])


def _matrix(gate: Gate, state: Any, qubits: Sequence[int], parameters: Sequence[Any]) -> None:
    matrix = parameters[0] if gate.unitary is None else gate.matrix(*parameters, qubits=len(qubits))
    state.apply_unitary(qubits, np.asarray(matrix, dtype=complex))


_ALONE: Mapping[Dense, GateCall] = {
    H: lambda state, qubits, _: state.apply_h(qubits[0]),
    SWAP: lambda state, qubits, _: state.apply_mcswap(qubits),
    X: lambda state, qubits, _: state.apply_x(qubits[0]),
    Y: lambda state, qubits, _: state.apply_y(qubits[0]),
    Z: lambda state, qubits, _: state.apply_z(qubits[0]),
}
_CONTROLLED: Mapping[Dense, GateCall] = {
    SWAP: lambda state, qubits, _: state.apply_mcswap(qubits),
    X: lambda state, qubits, _: state.apply_mcx(qubits),
    Y: lambda state, qubits, _: state.apply_mcy(qubits),
    Z: lambda state, qubits, _: state.apply_mcz(qubits),
}


def _call_of(gate: Gate) -> GateCall:
    """The call of Aer's that applies a gate, up to a global phase; its matrix where there is none for its unitary."""
    return _fast_call_of(gate) or partial(_matrix, gate)


def _fast_call_of(gate: Gate) -> GateCall | None:
    match gate.unitary:
        case Rotation():
            return _call_of_rotation(gate.unitary, gate.qubits)
        case PhaseShift():
            return _call_of_shift(gate.unitary, gate.qubits)
        case PauliRotation("zz") if gate.qubits == 2:
            return _ising
        case Dense():
            calls = _ALONE if gate.qubits == gate.unitary.qubits else _CONTROLLED
            return calls.get(gate.unitary)
        case _:
            return None


def _call_of_rotation(rotation: Rotation, qubits: int | None) -> GateCall | None:
    match qubits, rotation.phase:
        case 1, _:
            return partial(_rotation, rotation.angles)
        case 2, float(phase):
            return partial(_controlled_rotation, rotation.angles, phase)
        case 2, phase if callable(phase):
            return partial(_controlled_rotation_and_phase, rotation.angles, phase)
        case _:
            return None


def _call_of_shift(shift: PhaseShift, qubits: int | None) -> GateCall | None:
    match qubits, shift.angle, shift.phase:
        case 1, None, _:
            return _phase
        case 1, float(angle), _:
            return partial(_fixed_phase, angle)
        case 2, None, 0.0:
            return _controlled_phase
        case 2, None, phase if callable(phase):
            return partial(_controlled_shift, phase)
        case None, None, 0.0:
            return _phase
        case _:
            return None


AER_CALLS: Mapping[str, GateCall] = {
    **{gate.name: _call_of(gate) for gate in GATE_TABLE if Method.STATEVECTOR in gate.methods},
    "measure": lambda _state, _qubits, _: None,
    # Circuits with noise have it.
    "id": lambda _state, _qubits, _: None,
}
