"""The inverses of gates as gates, for the pass backward of `adjoint.py`; up to a global phase, which cancels there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ketline.domain.circuits.gates import Gate
from ketline.domain.circuits.unitaries import PauliRotation, PhaseShift, Rotation
from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.gradients.generators import GATES

# The number of qubits with which a gate of any number of controls is tried.
_SOME_QUBITS = 3
# The name and the parameters of the inverse, from the parameters.
_Inverse = Callable[[Sequence[Any]], tuple[str, Sequence[Any]]]
_TURNED: Mapping[str, str] = {"s": "sdg", "sdg": "s", "t": "tdg", "tdg": "t", "sx": "sxdg", "sxdg": "sx"}


def inverse_of(step: Step) -> Step:
    """The inverse of a gate that a statevector applies."""
    name, qubits, bits, parameters, source = step
    inverse, turned = _INVERSES[name](parameters)
    return inverse, qubits, bits, turned, source


def _inverse_of(gate: Gate) -> _Inverse:
    name = gate.name
    if name in _TURNED:
        return lambda _: (_TURNED[name], ())
    match gate.unitary:
        case PhaseShift(None) | PauliRotation():
            return lambda parameters: (name, [-parameters[0]])
        case Rotation(angles) if gate.qubits == 1:
            return lambda parameters: ("u", _turned_back(angles(*parameters)))
        case Rotation() if name in ("cu", "cu3"):
            return lambda parameters: (name, [*_turned_back(parameters[:3]), *[-one for one in parameters[3:]]])
        case Rotation() if gate.parameters == 1:
            return lambda parameters: (name, [-parameters[0]])
        case None:
            return lambda parameters: ("unitary", [_dagger(parameters[0])])
    return _of_fixed(gate)


def _of_fixed(gate: Gate) -> _Inverse:
    """The inverse of a gate without parameters: itself, or the inverse of its matrix."""
    matrix = np.array(gate.matrix(qubits=gate.qubits or _SOME_QUBITS))
    if np.array_equal(matrix, _dagger(matrix)):
        return lambda _: (gate.name, ())
    assert gate.qubits is not None, f"'{gate.name}' has no inverse of its kind"
    return lambda _: ("unitary", [_dagger(matrix)])


def _turned_back(angles: Sequence[float]) -> Sequence[float]:
    """The angles of the inverse of U(θ, φ, λ)."""
    theta, phi, lam = angles
    return [-theta, -lam, -phi]


def _dagger(matrix: Any) -> Any:
    return np.asarray(matrix).conj().T


_INVERSES: Mapping[str, _Inverse] = {name: _inverse_of(gate) for name, gate in GATES.items()}
