"""Tests the gates of a state on this machine, with its processor and the installed version, before programs use it.

`load_lightning` calls it once in each simulator process; it takes some milliseconds.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE, Gate
from ketline.domain.circuits.method import Method
from ketline.execution.circuit.operations import Step

_QUBITS = 6
_ANGLES = (0.7, -1.1, 2.3, 0.4)
# The number of qubits with which a gate of any number of qubits is tested.
_WIDTH = 3
_ROUNDING = 1e-12


class _State(Protocol):
    def apply(self, steps: Sequence[Step]) -> None: ...
    def amplitudes(self) -> Any: ...


def gates_differ(state_of: Callable[[int], _State]) -> bool:
    """Whether some gate does something else than its matrix, to a state of which no two amplitudes are equal."""
    return any(
        _differs(gate, operands, state_of)
        for gate in GATE_TABLE
        if Method.STATEVECTOR in gate.methods
        for operands in _operands(_WIDTH if gate.qubits is None else gate.qubits)
    )


def _operands(width: int) -> Sequence[list[int]]:
    return [list(range(width)), list(range(_QUBITS - 1, _QUBITS - 1 - width, -1))]


def _differs(gate: Gate, operands: list[int], state_of: Callable[[int], _State]) -> bool:
    state = state_of(_QUBITS)
    state.apply(_preparation())
    before = state.amplitudes()
    matrix = _matrix_of(gate, len(operands))
    parameters = (matrix,) if gate.unitary is None else _ANGLES[: gate.parameters]
    state.apply([(gate.name, operands, (), parameters, None)])
    overlap = np.vdot(_applied(matrix, operands, before), state.amplitudes())
    return bool(abs(abs(overlap) - 1) > _ROUNDING)


def _preparation() -> list[Step]:
    """Rotations by angles that are all different."""
    return [("u", [qubit], (), (0.4 + 0.3 * qubit, 0.2 * qubit, 0.0), None) for qubit in range(_QUBITS)]


def _matrix_of(gate: Gate, width: int) -> Any:
    if gate.unitary is not None:
        return np.array(gate.matrix(*_ANGLES[: gate.parameters], qubits=width))
    # Any unitary that is not symmetric: a Fourier transform with its rows turned by one.
    size = 1 << width
    powers = np.outer(np.arange(size), np.arange(size))
    return np.roll(np.exp(2j * np.pi * powers / size) / np.sqrt(size), 1, axis=0)


def _applied(matrix: Any, operands: Sequence[int], amplitudes: Any) -> Any:
    """The state after a gate, by plain numpy: axis k of the tensor is qubit n - 1 - k."""
    width = len(operands)
    axes = [_QUBITS - 1 - qubit for qubit in reversed(operands)]
    tensor = np.tensordot(
        np.reshape(matrix, [2] * (2 * width)),
        np.reshape(amplitudes, [2] * _QUBITS),
        axes=(range(width, 2 * width), axes),
    )
    return np.moveaxis(tensor, range(width), axes).ravel()
