"""The method `stabilizer`: Aer simulates Clifford circuits on a tableau."""

from math import ceil

from ketline.domain.circuits.gates import applied_by
from ketline.domain.circuits.method import Method
from ketline.execution.circuit.passes.lowered import BRANCHES, Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.costs import seconds_of
from ketline.execution.simulators.methods.aer_method import AerMethod
from ketline.execution.simulators.methods.method import require_gates

CLIFFORD_GATES = applied_by(Method.STABILIZER)
# Operations on bits: branches and assignments.
CLASSICAL = BRANCHES | {"store"}
# Seconds, see `costs.py`.
_PER_TABLEAU_OPERATION = 7e-7
_PER_TABLEAU_QUBIT = 8e-9


class Stabilizer(AerMethod):
    """Simulates a Clifford circuit, which may branch and compute on bits, with a tableau."""

    name = Method.STABILIZER
    gates = CLIFFORD_GATES
    uses_threads = False

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_gates(lowered, self.name, CLIFFORD_GATES | CLASSICAL)

    def state_bytes(self, lowered: Lowered) -> int:
        return tableau_bytes(lowered.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        each = _PER_TABLEAU_OPERATION + _PER_TABLEAU_QUBIT * lowered.num_qubits
        return seconds_of(sum(lowered.operations.values()), each, shots, shots)


def tableau_bytes(qubits: int) -> int:
    """The size of a tableau: 2n rows of 2n bits and a sign.

    Source: S. Aaronson and D. Gottesman, Phys. Rev. A 70, 052328 (2004).
    """
    return ceil(2 * qubits * (2 * qubits + 1) / 8)
