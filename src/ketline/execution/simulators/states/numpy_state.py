"""A state by plain numpy, for gates that are applied to a state that is given; where Lightning is not installed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.execution.circuit.operations import Step

_GATES = {gate.name: gate for gate in GATE_TABLE}


class NumpyState:
    """Amplitudes to which gates are applied by their matrices; all qubits are 0 at first."""

    def __init__(self, qubits: int) -> None:
        self._qubits = qubits
        self._amplitudes: Any = np.zeros(1 << qubits, dtype=complex)
        self._amplitudes[0] = 1

    def load(self, amplitudes: Any) -> None:
        """Take 2^n amplitudes, complex128, as the state."""
        self._amplitudes = amplitudes

    def apply(self, steps: Sequence[Step]) -> None:
        """Apply gates in order."""
        for name, qubits, _, parameters, _ in steps:
            gate = _GATES[name]
            matrix = parameters[0] if gate.unitary is None else gate.matrix(*parameters, qubits=len(qubits))
            self._multiply(np.asarray(matrix, dtype=complex), qubits)

    def amplitudes(self) -> Any:
        return self._amplitudes.copy()

    def _multiply(self, matrix: Any, qubits: Sequence[int]) -> None:
        width = len(qubits)
        # Axis k of the tensor is qubit n - 1 - k.
        axes = [self._qubits - 1 - qubit for qubit in reversed(qubits)]
        tensor = self._amplitudes.reshape([2] * self._qubits)
        product = np.tensordot(matrix.reshape([2] * (2 * width)), tensor, axes=(range(width, 2 * width), axes))
        self._amplitudes = np.ascontiguousarray(np.moveaxis(product, range(width), axes)).ravel()
