"""The generators of gates: a gate U has the derivative G U with respect to an angle, with an anti-Hermitian G.

`adjoint.py` and `shift.py` call it for the gates of `GATE_TABLE` that a statevector applies.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE, Gate
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.unitaries import PauliRotation, Phase, PhaseShift, Rotation
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.operations import Step

GATES = {gate.name: gate for gate in GATE_TABLE if Method.STATEVECTOR in gate.methods}
_ONE = np.array([[0, 0], [0, 1]], dtype=complex)
_Y = np.array([[0, -1j], [1j, 0]])
_PAULIS = {"x": np.array([[0, 1], [1, 0]], dtype=complex), "y": _Y, "z": np.diag([1.0 + 0j, -1])}


class Generator(NamedTuple):
    """G on the `targets`, complex128, bit j of an index for the j-th; it is 0 unless all `controls` are 1."""

    matrix: Any
    controls: Sequence[int]
    targets: Sequence[int]


def generator_of(step: Step, place: int) -> Generator:
    """The generator of a gate for the angle at a place among its parameters.

    Raises:
        ProgramUnsupported: its derivative is not known.
    """
    name, qubits, _, parameters, _ = step
    gate = GATES.get(name)
    if gate is None or gate.unitary is None or not gate.parameters:
        raise ProgramUnsupported(f"the gradient of '{name}' is not supported")
    controls = len(qubits) - gate.unitary.qubits
    return Generator(_matrix(gate, parameters, place), qubits[:controls], qubits[controls:])


def matrix_of(step: Step) -> Any:
    """The matrix of a gate that a statevector applies, complex128, bit j of an index for its j-th qubit."""
    name, qubits, _, parameters, _ = step
    gate = GATES[name]
    matrix = parameters[0] if gate.unitary is None else gate.matrix(*parameters, qubits=len(qubits))
    return np.asarray(matrix, dtype=complex)


def _matrix(gate: Gate, parameters: Sequence[float], place: int) -> Any:
    match gate.unitary:
        case Rotation(angles, phase):
            return _of_rotation(angles, phase, parameters, place)
        case PhaseShift(None, phase):
            return 1j * (_ONE + _slope(phase, 1, 0) * np.eye(2))
        case PauliRotation(paulis):
            low, high = (_PAULIS[letter] for letter in paulis)
            return -0.5j * np.kron(high, low)
    raise ProgramUnsupported(f"the gradient of '{gate.name}' is not supported")


def _of_rotation(angles: Callable[..., Any], phase: Phase, parameters: Sequence[float], place: int) -> Any:
    """For e^{iγ} U(θ, φ, λ), where U is P(φ) RY(θ) P(λ) with phase shifts P; angles are affine in the parameters."""
    theta, phi, lam = angles(*parameters)
    count = len(parameters)
    by_theta, by_phi, by_lam = np.subtract(angles(*_unit(count, place)), angles(*[0.0] * count))
    turn = np.array([[1, 0], [0, np.exp(1j * phi)]])
    cos, sin = np.cos(theta / 2), np.sin(theta / 2)
    last = turn @ np.array([-sin, cos]) * np.exp(1j * lam)  # U on the state 1
    return (
        1j * _slope(phase, count, place) * np.eye(2)
        - 0.5j * by_theta * (turn @ _Y @ turn.conj())
        + 1j * by_phi * _ONE
        + 1j * by_lam * np.outer(last, last.conj())
    )


def _slope(phase: Phase, count: int, place: int) -> float:
    """The slope of a phase, which is affine in the parameters."""
    return phase(*_unit(count, place)) - phase(*[0.0] * count) if callable(phase) else 0.0


def _unit(count: int, place: int) -> Sequence[float]:
    return [float(number == place) for number in range(count)]
