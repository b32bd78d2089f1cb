"""The quantum instructions of QIR that apply each gate. Used by the writers of both profiles."""

from collections.abc import Iterator, Mapping
from math import isclose, pi, remainder, tau

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.circuits.unitaries import PhaseShift, Rotation
from ketline.execution.conversion.statements import Apply

# The instructions, by the names of gates in circuits, which take the gate's angles and qubits in order.
# Source: the instruction set of https://github.com/qir-alliance/pyqir, and those of qir-runner that have no other form.
_CALLS: Mapping[str, str] = {
    "ccx": "ccx__body",
    "cx": "cx__body",
    "cz": "cz__body",
    "h": "h__body",
    "rx": "rx__body",
    "rxx": "rxx__body",
    "ry": "ry__body",
    "ryy": "ryy__body",
    "rz": "rz__body",
    "rzz": "rzz__body",
    "s": "s__body",
    "sdg": "s__adj",
    "swap": "swap__body",
    "t": "t__body",
    "tdg": "t__adj",
    "x": "x__body",
    "y": "y__body",
    "z": "z__body",
}
# Gates on one qubit that are rotations about axes, up to a global phase, of no effect where nothing controls them.
_ROTATIONS = {
    gate.qiskit_name: gate.unitary
    for gate in GATE_TABLE
    if gate.qubits == 1 and isinstance(gate.unitary, (Rotation, PhaseShift)) and gate.qiskit_name not in _CALLS
}
GATES = frozenset(_CALLS) | frozenset(_ROTATIONS)

# An instruction: its name after `__quantum__qis__`, its angles in radians, and its qubits by index.
Call = tuple[str, tuple[float, ...], tuple[int, ...]]


def calls_of(gate: Apply) -> Iterator[Call]:
    """The instructions that apply a gate of `GATES`, up to a global phase."""
    if gate.name in _CALLS:
        yield _CALLS[gate.name], gate.angles, gate.qubits
        return
    unitary = _ROTATIONS[gate.name]
    if isinstance(unitary, PhaseShift):
        rotations = [("rz__body", gate.angles[0] if unitary.angle is None else unitary.angle)]
    else:
        rotations = list(_rotations(*unitary.angles(*gate.angles)))
    for name, angle in rotations:
        if not isclose(remainder(angle, tau), 0.0, abs_tol=1e-15):
            yield name, (angle,), gate.qubits


def _rotations(theta: float, phi: float, lam: float) -> Iterator[tuple[str, float]]:
    """U(θ, φ, λ) = e^{iγ} RZ(φ) RY(θ) RZ(λ), in the order of application."""
    if (phi, lam) == (-pi / 2, pi / 2):
        yield "rx__body", theta
        return
    yield "rz__body", lam
    yield "ry__body", theta
    yield "rz__body", phi
