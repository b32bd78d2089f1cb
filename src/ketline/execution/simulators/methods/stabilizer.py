"""Aer's stabilizer method."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from ketline.domain.gates import applied_by
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.lowering import BRANCHES, Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.costs import seconds_of
from ketline.execution.simulators.engine import AerEngine, Counted, key_of
from ketline.execution.simulators.methods.method import require_gates

CLIFFORD_GATES = applied_by(Method.STABILIZER)
# Operations on bits: branches and assignments.
CLASSICAL = BRANCHES | {"store"}
# Seconds, see `costs.py`.
_PER_TABLEAU_OPERATION = 7e-7
_PER_TABLEAU_QUBIT = 8e-9


class Stabilizer:
    """Simulates a Clifford circuit, which may branch and compute on bits, with a tableau."""

    name = Method.STABILIZER
    uses_threads = False
    gives_values = True

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_gates(lowered, self.name, CLIFFORD_GATES | CLASSICAL)

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return lowered.circuit

    def state_bytes(self, lowered: Lowered) -> int:
        return tableau_bytes(lowered.circuit.num_qubits)

    def bytes_needed(self, lowered: Lowered) -> int:
        return self.state_bytes(lowered)

    def seconds(self, lowered: Lowered, shots: int) -> float:
        each = _PER_TABLEAU_OPERATION + _PER_TABLEAU_QUBIT * lowered.circuit.num_qubits
        return seconds_of(sum(lowered.operations.values()), each, shots, shots)

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        return engine.counts(program.lowered.circuit, shots, self.name, options, key_of(program))

    def expect(self, engine: AerEngine, program: Program, operators: Sequence[Any]) -> Sequence[float]:
        return engine.values(program.lowered.circuit, self.name, operators)


def tableau_bytes(qubits: int) -> int:
    """The size of a tableau: 2n rows of 2n bits and a sign.

    Source: S. Aaronson and D. Gottesman, Phys. Rev. A 70, 052328 (2004).
    """
    return ceil(2 * qubits * (2 * qubits + 1) / 8)
