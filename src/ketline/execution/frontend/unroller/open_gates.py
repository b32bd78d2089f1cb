"""Controls and powers of gates whose angles, or exponents, are parameters that a gradient is taken by.

Qiskit computes most of these from matrices, which need numbers. All others are left to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit.circuit import ParameterExpression, QuantumCircuit
from qiskit.circuit.library import PhaseGate, RXGate, RYGate, RZGate, UGate, UnitaryGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator
from scipy.linalg import schur

from ketline.domain.errors import GradientInvalid
from ketline.execution.frontend.importer.gates import controlled as controlled_by_qiskit
from ketline.execution.frontend.importer.gates import controlled_phase

_MAX_REPEATS = 64
_MAX_QUBITS_OF_A_POWER = 3
# An eigenvalue of -1 has the phase π, also where rounding gives -π; as `Operator.power` of Qiskit.
_ROUNDING = 1e-12
_LIBRARY_ERRORS = (QiskitError, TypeError, ValueError, ArithmeticError)


def controlled(gate: Any, states: Sequence[bool]) -> Any:
    """A gate behind controls by 1 or 0, which are its first qubits."""
    if not states or not _is_open(gate):
        return controlled_by_qiskit(gate, states)
    circuit = QuantumCircuit(len(states) + gate.num_qubits)
    _append_controlled(circuit, gate, states, circuit.qubits[len(states) :])
    return circuit.to_gate()


def power(gate: Any, exponent: Any) -> Any:
    """A power of a gate.

    Raises:
        GradientInvalid: it has no derivative by this exponent, or by the gate's angles.
    """
    if not isinstance(exponent, ParameterExpression) and not _is_open(gate):
        return gate.power(exponent)
    try:
        return gate.power(exponent)
    except _LIBRARY_ERRORS:
        pass
    if not _is_open(gate) and gate.num_qubits <= _MAX_QUBITS_OF_A_POWER:
        return _power_of_fixed(gate, exponent)
    if isinstance(exponent, (int, float)) and float(exponent).is_integer() and abs(exponent) <= _MAX_REPEATS:
        circuit = QuantumCircuit(gate.num_qubits)
        for _ in range(abs(int(exponent))):
            circuit.append(gate if exponent > 0 else gate.inverse(), circuit.qubits)
        return circuit.to_gate()
    raise GradientInvalid(
        f"the gradient cannot follow an input through this power: exponents are integers up to {_MAX_REPEATS} here, "
        f"or apply to rotations, or to gates on at most {_MAX_QUBITS_OF_A_POWER} qubits without inputs"
    )


def _is_open(gate: Any) -> bool:
    if any(isinstance(parameter, ParameterExpression) for parameter in gate.params):
        return True
    definition = gate.definition
    return definition is not None and bool(definition.parameters)


def _power_of_fixed(gate: Any, exponent: Any) -> Any:
    """U^t = V D^t V†, with a phase for each state of the diagonal D."""
    triangle, vectors = schur(Operator(gate).data, output="complex")
    qubits = range(gate.num_qubits)
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(UnitaryGate(vectors.conj().T), qubits)
    for index, value in enumerate(np.diag(triangle)):
        angle = float(np.angle(value))
        if angle <= -np.pi + _ROUNDING:
            angle += 2 * np.pi
        circuit.append(controlled_phase(angle * exponent, [bool(index >> qubit & 1) for qubit in qubits]), qubits)
    circuit.append(UnitaryGate(vectors), qubits)
    return circuit.to_gate()


def _append_controlled(circuit: Any, gate: Any, states: Sequence[bool], targets: Sequence[Any]) -> None:
    """Append a gate to the circuit, whose first qubits are its controls."""
    controls = circuit.qubits[: len(states)]
    if not _is_open(gate):
        circuit.append(controlled_by_qiskit(gate, states), [*controls, *targets])
        return
    match gate:
        case PhaseGate():
            circuit.append(controlled_phase(gate.params[0], [*states, True]), [*controls, *targets])
        case RZGate():
            circuit.append(controlled_phase(gate.params[0], [*states, True]), [*controls, *targets])
            circuit.append(controlled_phase(-gate.params[0] / 2, states), controls)
        case RXGate() | RYGate() | UGate():
            _append_rotation(circuit, gate, states, targets)
        case _:
            _append_definition(circuit, gate, states, targets)


def _append_rotation(circuit: Any, gate: Any, states: Sequence[bool], targets: Sequence[Any]) -> None:
    """RX is RZ between two H, RY is RX between S† and S, and U(θ, φ, λ) is P(φ) RY(θ) P(λ)."""
    (target,) = targets
    theta, *others = gate.params
    if others:
        phi, lam = others
        for inner in (PhaseGate(lam), RYGate(theta), PhaseGate(phi)):
            _append_controlled(circuit, inner, states, targets)
        return
    if isinstance(gate, RYGate):
        circuit.sdg(target)
    circuit.h(target)
    _append_controlled(circuit, RZGate(theta), states, targets)
    circuit.h(target)
    if isinstance(gate, RYGate):
        circuit.s(target)


def _append_definition(circuit: Any, gate: Any, states: Sequence[bool], targets: Sequence[Any]) -> None:
    definition = gate.definition
    if definition is None:
        raise GradientInvalid(f"the gradient of '{gate.name}' behind controls is not supported")
    outer = dict(zip(definition.qubits, targets, strict=True))
    for inner in definition.data:
        _append_controlled(circuit, inner.operation, states, [outer[qubit] for qubit in inner.qubits])
    if isinstance(definition.global_phase, ParameterExpression) or definition.global_phase:
        circuit.append(controlled_phase(definition.global_phase, states), circuit.qubits[: len(states)])
