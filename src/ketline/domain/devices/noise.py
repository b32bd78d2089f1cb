"""Noise of a task: which operations errors attach to, and which methods simulate them."""

from collections.abc import Mapping

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.circuits.method import Method

_MAX_GATE_QUBITS = 2
# The operations to which errors attach, as circuits name them, with their number of qubits; None: one or two. Every
# method with noise applies these gates natively, so that errors are the same by each.
NOISY_OPERATIONS: Mapping[str, int | None] = {
    gate.qiskit_name: gate.qubits
    for gate in GATE_TABLE
    if (Method.DENSITY_MATRIX in gate.methods and (gate.qubits is None or gate.qubits <= _MAX_GATE_QUBITS))
} | {"id": 1, "measure": 1, "reset": 1}
# The methods that a task with noise can request.
NOISY_METHODS = (
    Method.AUTOMATIC,
    Method.STATEVECTOR,
    Method.DENSITY_MATRIX,
    Method.STABILIZER,
    Method.STIM,
)
