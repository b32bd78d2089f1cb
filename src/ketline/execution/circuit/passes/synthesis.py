"""Gives definitions to operations that have none: permutations, Cliffords, annotated operations, gates by matrix.

`lowering.py` inlines them.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    Gate,
    InverseModifier,
    Operation,
    PowerModifier,
    QuantumCircuit,
)
from qiskit.circuit.library import PermutationGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford
from qiskit.quantum_info.operators.predicates import is_unitary_matrix
from qiskit.synthesis import synth_permutation_basic

from ketline.domain.errors import ProgramInvalid, ProgramTooLarge, ProgramUnsupported

# A matrix has 4^n numbers.
_MAX_MATRIX_QUBITS = 8
_NAMED_MEASUREMENT = re.compile(r"measure_[0-9]+")
_QISKIT_NAMES = frozenset(get_standard_gate_name_mapping()) | {"mcx", "mcphase", "unitary"}


def definition_of(operation: Any, genuine: Callable[[Any], bool] | None) -> Any:
    """The circuit that defines an operation; None if there is none.

    Raises:
        ProgramInvalid: its matrix is not unitary.
        ProgramUnsupported, ProgramTooLarge: its modifiers cannot be applied.
    """
    if is_named_measurement(operation):
        return _measurement()
    if isinstance(operation, PermutationGate):
        return synth_permutation_basic(operation.pattern)
    if isinstance(operation, Clifford):
        return operation.to_circuit()
    if isinstance(operation, AnnotatedOperation):
        return _circuit_of(_modified(operation, genuine))
    try:
        definition = getattr(operation, "definition", None)
    except Exception as error:
        raise incomplete(operation.name) from error
    return _by_matrix(operation) if definition is None and isinstance(operation, Gate) else definition


def incomplete(name: str) -> ProgramUnsupported:
    """The error for a gate that Qiskit's reader cannot rebuild from QPY."""
    return ProgramUnsupported(
        f"QPY says too little of '{name}': decompose it, as by 'circuit.decompose()', or transpile the circuit, before "
        "the file is written"
    )


def is_named_measurement(operation: Any) -> bool:
    """Whether an operation is one of a device's other measurements, such as `measure_2`.

    QPY has only their names; in an ideal simulation all are `measure`.
    """
    takes = (operation.num_qubits, operation.num_clbits)
    is_named = takes == (1, 1) and _NAMED_MEASUREMENT.fullmatch(operation.name) is not None
    return is_named and getattr(operation, "definition", None) is None


def _measurement() -> Any:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    return circuit


def _circuit_of(gate: Any) -> Any:
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    return circuit


def _modified(operation: Any, genuine: Callable[[Any], bool] | None) -> Any:
    """The gate of an annotated operation, with its modifiers applied in their order."""
    gate = _gate_of(operation.base_op, genuine)
    for modifier in operation.modifiers:
        match modifier:
            case InverseModifier():
                gate = gate.inverse()
            case PowerModifier():
                if gate.num_qubits > _MAX_MATRIX_QUBITS:
                    raise ProgramTooLarge(f"powers of gates on more than {_MAX_MATRIX_QUBITS} qubits are not supported")
                gate = gate.power(modifier.power)
            case ControlModifier():
                gate = gate.control(modifier.num_ctrl_qubits, ctrl_state=modifier.ctrl_state, annotated=False)
            case _:
                raise ProgramUnsupported(f"modifier '{type(modifier).__name__}' is not supported")
    return gate


def _gate_of(operation: Any, genuine: Callable[[Any], bool] | None) -> Any:
    if isinstance(operation, (PermutationGate, Clifford, AnnotatedOperation)):
        return definition_of(operation, genuine).to_gate()
    if not isinstance(operation, Gate) or not _is_as_named(operation, genuine):
        raise ProgramUnsupported(f"'{operation.name}' as an annotated operation is not supported")
    return operation


def _is_as_named(operation: Any, genuine: Callable[[Any], bool] | None) -> bool:
    """Whether a gate and its parts are what their names say: Qiskit adds controls by name."""
    if genuine is None or genuine(operation):
        return True
    definition = getattr(operation, "definition", None)
    if operation.name in _QISKIT_NAMES or definition is None:
        return False
    return all(_is_as_named(instruction.operation, genuine) for instruction in definition.data)


def _by_matrix(operation: Operation) -> Any:
    if operation.num_qubits > _MAX_MATRIX_QUBITS:
        return None
    try:
        matrix = np.asarray(operation.to_matrix(), dtype=complex)
    except (AttributeError, QiskitError, TypeError):
        return None
    if not is_unitary_matrix(matrix):
        raise ProgramInvalid(f"the matrix of '{operation.name}' is not unitary")
    return _circuit_of(UnitaryGate(matrix))
